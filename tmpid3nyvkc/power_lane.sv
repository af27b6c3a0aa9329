// The weight of a score whose greatest companion is `top`: 2^(score - top) with 16 fraction bits; 10 cycles.
//
// INT32_MIN stands for no score, whose weight is 0. The powers of 64ths are a table, between which is a line.
module power_lane #(parameter TABLE = "power_table.hex") (
    input logic clk,
    input logic enable,
    input logic [31:0] score,
    input logic [31:0] top,
    output logic [16:0] y
);
  (* ram_style = "logic" *) logic [33:0] powers[64];  // the next one, this one
  logic [31:0] score1, top1, delta2;
  logic seen2, seen3, seen8;
  logic [4:0] shift3, shift8;
  logic [16:0] left3, right3, left7, value8, value9;
  logic signed [11:0] rise4;
  logic [9:0] rest3, rest4;
  logic signed [22:0] product7;
  logic [2:0] shift9;
  initial $readmemh(TABLE, powers);
  product #(.A(12), .B(11)) u_product (
      .clk, .enable, .a(rise4), .b({1'b0, rest4}), .y(product7)
  );
  delay #(.BITS(17), .CYCLES(4)) u_left (.clk, .enable, .x(left3), .y(left7));
  delay #(.BITS(6), .CYCLES(5)) u_shift (.clk, .enable, .x({seen3, shift3}), .y({seen8, shift8}));
  always_ff @(posedge clk) if (enable) begin
    {score1, top1} <= {score, top};
    delta2 <= top1 - score1;
    seen2 <= score1 != 32'h8000_0000;
    {right3, left3} <= powers[delta2[15:10]];
    {rest3, seen3} <= {delta2[9:0], seen2};
    shift3 <= delta2[31:21] != '0 ? 5'd31 : delta2[20:16];
    rise4 <= 12'(left3 - right3);
    rest4 <= rest3;
    value8 <= left7 - 17'(product7[22:10]);
    value9 <= seen8 ? value8 >> {shift8[4:3], 3'd0} : '0;
    shift9 <= shift8[2:0];
    y <= value9 >> shift9;
  end
endmodule
