// The score of a position: its dot product times m_k and the row's factor, shifted and rounded; 12 cycles.
//
// `factor` comes three cycles behind the dot product and m_k, `shift` (2 to 50) seven; `seen` comes eleven behind.
module score_lane (
    input logic clk,
    input logic enable,
    input logic signed [23:0] dot,
    input logic [7:0] mantissa,
    input logic signed [26:0] factor,
    input logic [5:0] shift,
    input logic seen,
    output logic [31:0] y
);
  logic signed [32:0] scaled;
  logic signed [59:0] exact, coarse, fine;
  logic [5:0] less;
  logic [2:0] rest;
  logic signed [33:0] rounded;
  logic over, negative;
  logic [31:0] result;
  assign less = shift - 1'b1;
  product #(.A(24), .B(9)) u_scaled (.clk, .enable, .a(dot), .b({1'b0, mantissa}), .y(scaled));
  product #(.A(27), .B(33)) u_exact (.clk, .enable, .a(factor), .b(scaled), .y(exact));
  saturate #(.BITS(34)) u_saturate (.x(rounded), .y(result));
  always_ff @(posedge clk) if (enable) begin
    coarse <= exact >>> {less[5:3], 3'd0};
    rest <= less[2:0];
    fine <= coarse >>> rest;
    rounded <= 34'($signed(fine[33:1])) + 34'(fine[0]);
    {over, negative} <= {!(&fine[59:33] || ~|fine[59:33]), fine[59]};
    y <= !seen ? 32'h8000_0000 : over ? {negative, {30{!negative}}, 1'b1} : result;
  end
endmodule
