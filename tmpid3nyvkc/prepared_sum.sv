// The sum of 32 bytes, signed or not, three cycles later.
module prepared_sum (
    input logic clk,
    input logic enable,
    input logic is_unsigned,
    input logic [255:0] x,
    output logic signed [13:0] y
);
  logic signed [10:0] fours[8];
  logic signed [12:0] sixteens[2];
  for (genvar i = 0; i < 8; i++) begin : g_fours
    logic signed [8:0] value[4];
    for (genvar j = 0; j < 4; j++) assign value[j] = {x[32*i+8*j+7] && !is_unsigned, x[32*i+8*j+:8]};
    always_ff @(posedge clk) if (enable) fours[i] <= (11'(value[0]) + 11'(value[1])) + (11'(value[2]) + 11'(value[3]));
  end
  for (genvar i = 0; i < 2; i++) begin : g_sixteens
    always_ff @(posedge clk) if (enable) begin
      sixteens[i] <= (13'(fours[4*i]) + 13'(fours[4*i+1])) + (13'(fours[4*i+2]) + 13'(fours[4*i+3]));
    end
  end
  always_ff @(posedge clk) if (enable) y <= 14'(sixteens[0]) + 14'(sixteens[1]);
endmodule
