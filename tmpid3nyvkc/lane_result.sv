// A row's result: sat(rsr(x, shift)) of docs/numerics.md, for shifts of either sign, 7 cycles later.
module lane_result (
    input logic clk,
    input logic enable,
    input logic signed [63:0] x,
    input logic signed [8:0] shift,
    output logic [31:0] y
);
  logic signed [63:0] x1;
  logic signed [8:0] shift1;
  logic [31:0] limited, limited1, result;
  logic signed [64:0] from, coarse, middle, fine;
  logic [5:0] right, right2;
  logic [1:0] right3;
  logic signed [33:0] rounded;
  logic over, negative;
  saturate #(.BITS(64)) u_limit (.x, .y(limited));
  saturate #(.BITS(34)) u_saturate (.x(rounded), .y(result));
  always_comb begin
    if (shift1 < 0) begin
      // a left shift is a shift right of what stands 32 bits higher
      from = {limited1, 33'd0};
      right = shift1 < -31 ? 6'd1 : 6'(9'sd32 + shift1);
    end else begin
      from = {x1, 1'b0};
      right = shift1 > 62 ? 6'd62 : shift1[5:0];
    end
  end
  always_ff @(posedge clk) if (enable) begin
    {x1, shift1, limited1} <= {x, shift, limited};
    coarse <= from >>> {right[5:4], 4'd0};
    right2 <= right;
    middle <= coarse >>> {right2[3:2], 2'd0};
    right3 <= right2[1:0];
    fine <= middle >>> right3;
    rounded <= 34'($signed(fine[33:1])) + 34'(fine[0]);
    over <= !(&fine[64:33] || ~|fine[64:33]);
    negative <= fine[64];
    y <= over ? {negative, {30{!negative}}, 1'b1} : result;
  end
endmodule
