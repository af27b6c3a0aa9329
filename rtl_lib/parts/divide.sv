// A quotient of unsigned numbers, one bit a cycle: restoring division.
module divide #(parameter int BITS = 64) (
    input logic clk,
    input logic start,
    input logic [BITS-1:0] dividend,
    input logic [BITS-1:0] divisor,
    output logic done,
    output logic [BITS-1:0] quotient
);
  logic [BITS-1:0] rest, by;
  logic [$clog2(BITS+1)-1:0] left;
  logic [BITS:0] trial;
  assign trial = {rest, quotient[BITS-1]} - {1'b0, by};
  assign done = left == 0;
  always_ff @(posedge clk) begin
    if (start) begin
      rest <= '0;
      by <= divisor;
      quotient <= dividend;
      left <= ($clog2(BITS + 1))'(BITS);
    end else if (left != 0) begin
      left <= left - 1'b1;
      rest <= trial[BITS] ? {rest[BITS-2:0], quotient[BITS-1]} : trial[BITS-1:0];
      quotient <= {quotient[BITS-2:0], ~trial[BITS]};
    end
  end
endmodule
