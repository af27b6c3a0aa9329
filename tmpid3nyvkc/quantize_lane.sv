// An element in units of its group's scale: x * factor, shifted right by 15 + exponent, rounded, within +-127.
//
// `exponent` comes with the product, four cycles behind x and `factor`; y is there 8 cycles behind them.
module quantize_lane (
    input logic clk,
    input logic enable,
    input logic signed [31:0] x,
    input logic [15:0] factor,
    input logic [4:0] exponent,
    output logic [7:0] y
);
  logic signed [48:0] exact;
  logic signed [34:0] coarse, fine;
  logic signed [33:0] rounded;
  logic [2:0] rest;
  logic fits;
  product #(.A(17), .B(32)) u_product (.clk, .enable, .a({1'b0, factor}), .b(x), .y(exact));
  assign fits = &rounded[33:7] || ~|rounded[33:7];
  always_ff @(posedge clk) if (enable) begin
    coarse <= $signed(exact[48:14]) >>> {exponent[4:3], 3'd0};
    rest <= exponent[2:0];
    fine <= coarse >>> rest;
    rounded <= $signed(fine[34:1]) + 34'(fine[0]);
    y <= !fits ? {rounded[33], {6{!rounded[33]}}, 1'b1} : rounded[7:0] == 8'h80 ? 8'h81 : rounded[7:0];
  end
endmodule
