// A sum of weighted values times the reciprocal of their total, shifted by 1 to 64, rounded, saturated: 10 cycles.
//
// `shift` comes five cycles behind the factors.
module value_result (
    input logic clk,
    input logic enable,
    input logic signed [47:0] sum,
    input logic [17:0] factor,
    input logic [5:0] shift,
    output logic [31:0] y
);
  logic signed [66:0] exact;
  logic signed [63:0] coarse, middle, fine;
  logic signed [33:0] rounded;
  logic [5:0] less;
  logic [3:0] rest;
  logic [1:0] least;
  logic over, negative;
  logic [31:0] result;
  assign less = shift - 1'b1;
  product #(.A(19), .B(48)) u_exact (.clk, .enable, .a({1'b0, factor}), .b(sum), .y(exact));
  saturate #(.BITS(34)) u_saturate (.x(rounded), .y(result));
  always_ff @(posedge clk) if (enable) begin
    coarse <= $signed(exact[63:0]) >>> {less[5:4], 4'd0};
    rest <= less[3:0];
    middle <= coarse >>> {rest[3:2], 2'd0};
    least <= rest[1:0];
    fine <= middle >>> least;
    rounded <= 34'($signed(fine[33:1])) + 34'(fine[0]);
    {over, negative} <= {!(&fine[63:33] || ~|fine[63:33]), fine[63]};
    y <= over ? {negative, {30{!negative}}, 1'b1} : result;
  end
endmodule
