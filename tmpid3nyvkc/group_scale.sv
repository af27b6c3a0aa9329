// The scale of a group from its largest magnitude, 11 cycles later: mantissa 128..255, exponent 0..24, reciprocal.
//
// q = (128 amax + 126) / 127, the quotient by a product with 2164392969 / 2^38 (stb/quantize.hpp). The results
// stay until `keep` says that those of the next group are there.
module group_scale (
    input logic clk,
    input logic enable,
    input logic [31:0] amax,
    input logic keep,
    output logic [7:0] mantissa,
    output logic [4:0] exponent,
    output logic [15:0] factor
);
  (* ram_style = "logic" *) logic [15:0] reciprocals[128];
  logic [31:0] dividend, amax_later;
  logic signed [66:0] scaled;
  logic [32:0] q, q1;
  logic [24:0] above, higher, above1;  // above[i]: a bit 7 + i or a higher one is set
  logic [4:0] length, length1, length2, raised;
  logic [7:0] high, whole, mantissa_next;
  logic least, sticky, over;
  initial for (int i = 0; i < 128; i++) reciprocals[i] = 16'(((1 << 23) / (128 + i) + 1) / 2);
  product #(.A(33), .B(34)) u_by_127 (
      .clk, .enable, .a({1'b0, dividend}), .b(34'sd2164392969), .y(scaled)
  );
  delay #(.BITS(32), .CYCLES(6)) u_amax (.clk, .enable, .x(amax), .y(amax_later));
  for (genvar i = 0; i < 25; i++) assign above[i] = |q[32:7+i];
  assign higher = {1'b0, above[24:1]};
  always_comb begin
    length = '0;
    for (int i = 1; i < 25; i++) if (above[i] && !higher[i]) length |= 5'(i);
  end
  assign {over, whole} = {1'b0, high} + 9'(sticky);
  always_ff @(posedge clk) if (enable) begin
    dividend <= amax + 32'd126;
    q <= 33'(amax_later) + 33'(scaled[65:38]);
    {above1, length1, q1} <= {above, length, q};
    high <= 8'(q1 >> length1);
    sticky <= |(q1[23:0] & above1[24:1]);
    least <= !above1[0];
    length2 <= length1;
    mantissa_next <= least || over ? 8'd128 : whole;
    raised <= least ? 5'd0 : length2 + 5'(over);
    if (keep) begin
      {mantissa, exponent} <= {mantissa_next, raised};
      factor <= reciprocals[mantissa_next[6:0]];
    end
  end
endmodule
