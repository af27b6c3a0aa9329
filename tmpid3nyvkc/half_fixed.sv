// trunc(half * 2^exponent) of an fp16 number, below 2^24, three cycles later (`fixed_half` of stb/scales.hpp).
module half_fixed (
    input logic clk,
    input logic enable,
    input logic [15:0] half,
    input logic [5:0] exponent,
    output logic signed [24:0] y
);
  logic [10:0] mantissa;
  logic [4:0] field;
  logic signed [7:0] right;  // of a mantissa that stands 20 bits high
  logic [4:0] distance;
  logic negative, negative1;
  logic [24:0] size;
  assign field = half[14:10] == '0 ? 5'd1 : half[14:10];
  assign distance = right < 0 ? 5'd0 : right > 31 ? 5'd31 : right[4:0];
  always_ff @(posedge clk) if (enable) begin
    mantissa <= {half[14:10] != '0, half[9:0]};
    negative <= half[15];
    right <= 8'sd45 - $signed({3'd0, field}) - $signed({2'd0, exponent});
    size <= 25'({mantissa, 20'd0} >> distance);
    negative1 <= negative;
    y <= negative1 ? -size : size;
  end
endmodule
