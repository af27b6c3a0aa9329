// A product of signed numbers, one a cycle, through the registers that a DSP block has.
module multiply #(parameter int A = 32, parameter int B = 32) (
    input logic clk,
    input logic signed [A-1:0] a,
    input logic signed [B-1:0] b,
    output logic signed [A+B-1:0] y
);
  logic signed [A-1:0] held_a;
  logic signed [B-1:0] held_b;
  always_ff @(posedge clk) begin
    held_a <= a;
    held_b <= b;
    y <= held_a * held_b;
  end
endmodule
