// A product of signed numbers, one a cycle, in DSP blocks (rtl_lib/twins/product.sv).
module multiply #(parameter int A = 32, parameter int B = 32) (
    input logic clk,
    input logic signed [A-1:0] a,
    input logic signed [B-1:0] b,
    output logic signed [A+B-1:0] y
);
  product #(.A(A), .B(B)) u_product (.clk, .enable(1'b1), .a, .b, .y);
endmodule
