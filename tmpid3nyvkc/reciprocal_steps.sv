// One over a total of 17 to 32 bits (`reciprocal` of stb/reciprocal.hpp), 22 cycles later: the bits of 2^48 / divisor
// one behind the other, and by how much a sum times that is shifted to the right.
module reciprocal_steps (
    input logic clk,
    input logic enable,
    input logic [31:0] total,
    input logic [5:0] exponent,
    output logic [17:0] factor,
    output logic [5:0] shift
);
  localparam int kSteps = 18;
  logic [15:0] above, above1;  // above[i]: bit 16 + i or a higher one is set
  logic [31:0] total1, total2, total3;
  logic [3:0] left2;  // 32 less the bit length
  logic [1:0] left3;
  logic [5:0] exponent2, shift3;
  logic [31:0] divisor[kSteps+1];
  logic [32:0] rest[kSteps+1];
  logic [kSteps-1:0] quotient[kSteps+1];
  for (genvar i = 0; i < 16; i++) assign above[i] = |total[31:16+i];
  delay #(.BITS(6), .CYCLES(2)) u_exponent (.clk, .enable, .x(exponent), .y(exponent2));
  assign rest[0] = 33'h0_8000_0000;
  assign quotient[0] = '0;
  logic [3:0] left;
  always_comb begin
    left = '0;
    for (int i = 0; i < 15; i++) if (above1[i] && !above1[i+1]) left |= 4'(15 - i);
  end
  always_ff @(posedge clk) if (enable) begin
    {total1, above1} <= {total, above};
    {total2, left2} <= {total1, left};
    {total3, left3} <= {total2 << {left2[3:2], 2'd0}, left2[1:0]};
    shift3 <= 6'd55 - 6'(left2) - exponent2;
    divisor[0] <= total3 << left3;
  end
  for (genvar i = 0; i < kSteps; i++) begin : g_steps
    logic [33:0] trial;
    assign trial = {1'b0, rest[i]} - {2'b0, divisor[i]};
    always_ff @(posedge clk) if (enable) begin
      divisor[i+1] <= divisor[i];
      rest[i+1] <= trial[33] ? {rest[i][31:0], 1'b0} : {trial[31:0], 1'b0};
      quotient[i+1] <= {quotient[i][kSteps-2:0], !trial[33]};
    end
  end
  assign factor = quotient[kSteps];
  delay #(.BITS(6), .CYCLES(kSteps + 1)) u_shift (.clk, .enable, .x(shift3), .y(shift));
endmodule
