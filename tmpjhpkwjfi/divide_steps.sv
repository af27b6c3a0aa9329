// A quotient of 62 by 32 bits, a bit in each cycle that `enable` marks; `first` marks the first of 62.
module divide_steps (
    input logic clk,
    input logic enable,
    input logic first,
    input logic [61:0] dividend,
    input logic [31:0] divisor,
    output logic [61:0] quotient
);
  logic [31:0] rest, old;
  logic [61:0] bits;
  logic [33:0] trial;
  assign old = first ? '0 : rest;
  assign bits = first ? dividend : quotient;
  assign trial = {1'b0, old, bits[61]} - {2'b0, divisor};
  always_ff @(posedge clk) if (enable) begin
    rest <= trial[33] ? {old[30:0], bits[61]} : trial[31:0];
    quotient <= {bits[60:0], !trial[33]};
  end
endmodule
