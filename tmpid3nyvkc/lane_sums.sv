// A LUT memory of WORDS numbers: one is written at the clock, one read at once.
module lane_sums #(parameter int WORDS = 16, parameter int BITS = 17) (
    input logic clk,
    input logic write,
    input logic [$clog2(WORDS)-1:0] to,
    input logic [BITS-1:0] x,
    input logic [$clog2(WORDS)-1:0] from,
    output logic [BITS-1:0] y
);
  (* ram_style = "distributed" *) logic [BITS-1:0] words[WORDS];
  always_ff @(posedge clk) if (write) words[to] <= x;
  assign y = words[from];
endmodule
