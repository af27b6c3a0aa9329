// An array that is written and read in the same cycle, in the memory that STYLE names (ram_style of Vivado).
module store #(parameter int WORDS = 512, parameter int BITS = 512, parameter STYLE = "block") (
    input logic clk,
    input logic write,
    input logic [$clog2(WORDS)-1:0] write_address,
    input logic [BITS-1:0] x,
    input logic [$clog2(WORDS)-1:0] read_address,
    output logic [BITS-1:0] y
);
  (* ram_style = STYLE *) logic [BITS-1:0] words[WORDS];
  always_ff @(posedge clk) begin
    if (write) words[write_address] <= x;
    y <= words[read_address];
  end
endmodule
