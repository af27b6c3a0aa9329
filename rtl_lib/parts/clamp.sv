// A number saturated to +-(2^31 - 1), one a cycle.
module clamp #(parameter int BITS = 64) (
    input logic clk,
    input logic signed [BITS-1:0] x,
    output logic signed [31:0] y
);
  logic fits, lowest;
  assign fits = (&x[BITS-1:31]) | ~(|x[BITS-1:31]);
  assign lowest = x[31:0] == 32'h8000_0000;
  always_ff @(posedge clk) begin
    if (!fits) y <= x[BITS-1] ? 32'h8000_0001 : 32'h7fff_ffff;
    else y <= lowest ? 32'h8000_0001 : x[31:0];
  end
endmodule
