// An element times the inverse root, rounded to 20 fraction bits, times its weight, plus its bias: 16 cycles behind x.
//
// `weight` comes 8 cycles behind x, `bias` 14.
module norm_lane #(parameter int FOUT = 16) (
    input logic clk,
    input logic enable,
    input logic signed [31:0] x,
    input logic [24:0] factor,
    input logic [5:0] shift,
    input logic signed [31:0] weight,
    input logic signed [31:0] bias,
    output logic [31:0] y
);
  localparam int kShift = 36 - FOUT;
  logic signed [57:0] scaled, coarse, middle, fine;
  logic signed [63:0] exact;
  logic [5:0] less;
  logic signed [31:0] n;
  logic signed [63-kShift:0] rounded, biased;
  logic [31:0] result;
  assign less = shift - 1'b1;
  product #(.A(26), .B(32)) u_scaled (.clk, .enable, .a({1'b0, factor}), .b(x), .y(scaled));
  product #(.A(32), .B(32), .ROUND(48'd1 << (kShift - 1))) u_weighted (
      .clk, .enable, .a(n), .b(weight), .y(exact)
  );
  saturate #(.BITS(64 - kShift)) u_saturate (.x(biased), .y(result));
  always_ff @(posedge clk) if (enable) begin
    coarse <= scaled >>> {less[5:4], 4'd0};
    middle <= coarse >>> {less[3:2], 2'd0};
    fine <= middle >>> less[1:0];
    n <= 32'(fine[32:1]) + 32'(fine[0]);
    rounded <= $signed(exact[63:kShift]);
    biased <= rounded + (64 - kShift)'(bias);
    y <= result;
  end
endmodule
