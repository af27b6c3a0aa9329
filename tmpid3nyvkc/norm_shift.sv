// The mean of squares plus EPS, shifted to 61 or 62 bits, and by how much the results are shifted right; 6 cycles.
module norm_shift #(parameter int EPS = 168) (
    input logic clk,
    input logic [47:0] mean,
    input logic [3:0] excess,
    output logic [61:0] shifted,
    output logic [5:0] shift
);
  logic [31:0] eps;
  logic [47:0] sum, value, value1, value2, above, above1;
  logic [5:0] length, left, left1;
  logic [61:0] coarse;
  for (genvar i = 0; i < 48; i++) assign above[i] = |value[47:i];
  always_comb begin
    length = '0;
    for (int i = 0; i < 48; i++) if (above1[i] && (i == 47 || !above1[(i+1)%48])) length |= 6'(i + 1);
  end
  always_ff @(posedge clk) begin
    eps <= 32'(EPS) >> {excess, 1'b0};
    sum <= mean + 48'(eps);
    value <= {sum[47:1], sum[0] || sum == '0};
    {value1, above1} <= {value, above};
    {value2, left} <= {value1, 6'((6'd62 - length) & 6'h3e)};
    coarse <= 62'(value2) << {left[5:3], 3'd0};
    left1 <= left;
    shifted <= coarse << left1[2:0];
    shift <= 6'd34 + 6'(excess) - {1'b0, left1[5:1]};
  end
endmodule
