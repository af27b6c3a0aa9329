// The mean of the words since `clear`, WORDS of them, a power of two, rounded; and the greatest magnitude of a
// difference from it, that of the greatest or the least element. The mean comes 6 cycles behind the last word, `top`
// 4 cycles later.
module norm_mean #(parameter int WORDS = 64) (
    input logic clk,
    input logic clear,
    input logic valid,
    input logic [511:0] x,
    output logic signed [31:0] mean,
    output logic [31:0] top
);
  localparam int kTwos = $clog2(16 * WORDS);
  localparam int kBits = 32 + kTwos;
  logic signed [35:0] tree[32];
  logic signed [kBits-1:0] sum, dividend;
  logic valid_sum;
  logic signed [31:0] greatest, negated;
  logic [31:0] sizes[2];
  delay #(.BITS(1), .CYCLES(4)) u_valid (.clk, .enable(1'b1), .x(valid), .y(valid_sum));
  norm_extreme u_greatest (.clk, .clear, .valid, .x, .y(greatest));
  norm_extreme u_negated (.clk, .clear, .valid, .x(~x), .y(negated));
  for (genvar l = 0; l < 16; l++) begin : g_lanes
    assign tree[16+l] = 36'($signed(x[32*l+:32]));
  end
  for (genvar i = 1; i < 16; i++) begin : g_nodes
    always_ff @(posedge clk) tree[i] <= tree[2*i] + tree[2*i+1];
  end
  assign dividend = sum + kBits'(8 * WORDS);
  always_ff @(posedge clk) begin
    if (clear) sum <= '0;
    else if (valid_sum) sum <= sum + kBits'(tree[1]);
    mean <= dividend[kBits-1:kTwos];
    top <= sizes[0] > sizes[1] ? sizes[0] : sizes[1];
  end
  for (genvar i = 0; i < 2; i++) begin : g_ends
    logic signed [32:0] difference;
    logic [31:0] saturated, kept;
    saturate #(.BITS(33)) u_saturate (.x(difference), .y(saturated));
    always_ff @(posedge clk) begin
      difference <= 33'(i == 0 ? greatest : ~negated) - 33'(mean);
      kept <= saturated;
      sizes[i] <= kept[31] ? -kept : kept;
    end
  end
endmodule
