// WORDS words of 512 bits in block RAM, with a second register at its output: read two cycles after the address.
module block_memory #(parameter int WORDS = 256) (
    input logic clk,
    input logic enable,
    input logic write,
    input logic [$clog2(WORDS)-1:0] write_address,
    input logic [511:0] x,
    input logic [$clog2(WORDS)-1:0] address,
    output logic [511:0] y
);
  (* ram_style = "block" *) logic [511:0] words[WORDS];
  logic [511:0] read;
  always_ff @(posedge clk) begin
    if (write) words[write_address] <= x;
    if (enable) {y, read} <= {read, words[address]};
  end
endmodule
