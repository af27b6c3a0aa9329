// A product of signed numbers in LUTs, one a cycle: a row of A + 1 bits for each bit of b.
module multiply_fabric #(parameter int A = 8, parameter int B = 8) (
    input logic clk,
    input logic signed [A-1:0] a,
    input logic signed [B-1:0] b,
    output logic signed [A+B-1:0] y
);
  logic signed [A-1:0] held_a;
  logic signed [B-1:0] held_b;
  logic signed [A+B-1:0] product;
  always_comb begin
    logic signed [A:0] sum;
    sum = '0;
    for (int i = 0; i < B - 1; i++) begin
      sum = sum + (held_b[i] ? (A+1)'(held_a) : '0);
      product[i] = sum[0];
      sum = sum >>> 1;
    end
    product[A+B-1:B-1] = sum - (held_b[B-1] ? (A+1)'(held_a) : '0);
  end
  always_ff @(posedge clk) begin
    held_a <= a;
    held_b <= b;
    y <= product;
  end
endmodule
