// The weight of a value: its score's power of two times the value's mantissa, shifted by what the value's exponent
// is below the row's greatest one. `power` comes in cycle 10, with the mantissa; `below` in 13, y in 15.
module weight_lane (
    input logic clk,
    input logic enable,
    input logic [16:0] power,
    input logic [7:0] mantissa,
    input logic [4:0] below,
    output logic [23:0] y
);
  logic signed [26:0] product13;
  logic [24:0] coarse;
  logic [2:0] rest;
  product #(.A(18), .B(9)) u_product (
      .clk, .enable, .a({1'b0, power}), .b({1'b0, mantissa}), .y(product13)
  );
  always_ff @(posedge clk) if (enable) begin
    coarse <= product13[24:0] >> {below[4:3], 3'd0};
    rest <= below[2:0];
    y <= 24'(coarse >> rest);
  end
endmodule
