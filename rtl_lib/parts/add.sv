// A sum of two numbers, one a cycle.
module add #(parameter int BITS = 64) (
    input logic clk,
    input logic [BITS-1:0] a,
    input logic [BITS-1:0] b,
    output logic [BITS-1:0] y
);
  always_ff @(posedge clk) y <= a + b;
endmodule
