// x * cos + other * sin with 14 fraction bits dropped, rounded and saturated: 7 cycles, without the last register.
//
// Four DSP blocks in cascade: the lower 17 bits of both factors, then the higher ones.
module rotary_lane (
    input logic clk,
    input logic enable,
    input logic [31:0] x,
    input logic [31:0] other,
    input logic [17:0] cos,
    input logic [17:0] sin,
    output logic [31:0] y
);
  logic [47:0] first, second, third, p_second, p_last;
  logic [26:0] wide_cos, wide_sin, cos_later, sin_later;
  logic [17:0] high, high_later, other_high, other_later;
  logic [16:0] low;
  logic signed [36:0] rounded;
  assign {wide_cos, wide_sin} = {{{9{cos[17]}}, cos}, {{9{sin[17]}}, sin}};
  assign {high, other_high} = {{{3{x[31]}}, x[31:17]}, {{3{other[31]}}, other[31:17]}};
  delay #(.BITS(45), .CYCLES(1)) u_third_later (.clk, .enable, .x({wide_cos, high}), .y({cos_later, high_later}));
  delay #(.BITS(45), .CYCLES(2)) u_last_later (
      .clk, .enable, .x({wide_sin, other_high}), .y({sin_later, other_later})
  );
  dsp_block #(.RND(48'd8192)) u_first (
      .clk, .enable, .a(wide_cos), .b({1'b0, x[16:0]}), .c('0), .opmode(9'b10_000_01_01), .pcin('0), .p(),
      .pcout(first)
  );
  dsp_block #(.STAGES(2)) u_second (
      .clk, .enable, .a(wide_sin), .b({1'b0, other[16:0]}), .c('0), .opmode(9'b00_001_01_01), .pcin(first),
      .p(p_second), .pcout(second)
  );
  dsp_block #(.STAGES(2)) u_third (
      .clk, .enable, .a(cos_later), .b(high_later), .c('0), .opmode(9'b00_101_01_01), .pcin(second), .p(),
      .pcout(third)
  );
  dsp_block #(.STAGES(2)) u_last (
      .clk, .enable, .a(sin_later), .b(other_later), .c('0), .opmode(9'b00_001_01_01), .pcin(third), .p(p_last),
      .pcout()
  );
  delay #(.BITS(17), .CYCLES(2)) u_low (.clk, .enable, .x(p_second[16:0]), .y(low));
  saturate #(.BITS(37)) u_saturate (.x(rounded), .y(y));
  always_ff @(posedge clk) if (enable) rounded <= {p_last[33:0], low[16:14]};
endmodule
