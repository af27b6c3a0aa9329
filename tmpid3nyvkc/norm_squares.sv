// The sum of squares of the words since `clear`, shifted by `excess` first; 13 cycles from a word's address to y, of
// words that come LATER 13 + LATER.
//
// The sum has 62 bits, more than a cycle's carry chain: its lower half is a step ahead of the upper one.
module norm_squares #(parameter int LATER = 0) (
    input logic clk,
    input logic clear,
    input logic valid,
    input logic [3:0] excess,
    input logic [511:0] x,
    output logic [61:0] y
);
  logic [50:0] tree[32];
  logic valid_sum, valid_high, carry;
  logic [31:0] low, low_later;
  logic [29:0] high;
  logic [18:0] high_part;
  delay #(.BITS(1), .CYCLES(11 + LATER)) u_valid (.clk, .enable(1'b1), .x(valid), .y(valid_sum));
  for (genvar l = 0; l < 16; l++) begin : g_lanes
    logic signed [23:0] short;
    logic signed [47:0] square;
    always_ff @(posedge clk) short <= 24'($signed(x[32*l+:32]) >>> excess);
    product #(.A(24), .B(24)) u_square (.clk, .enable(1'b1), .a(short), .b(short), .y(square));
    assign tree[16+l] = {3'd0, square};
  end
  for (genvar i = 1; i < 16; i++) begin : g_nodes
    always_ff @(posedge clk) tree[i] <= tree[2*i] + tree[2*i+1];
  end
  always_ff @(posedge clk) begin
    valid_high <= valid_sum && !clear;
    high_part <= tree[1][50:32];
    low_later <= low;
    if (clear) begin
      {low, carry} <= '0;
    end else if (valid_sum) {carry, low} <= 33'(low) + 33'(tree[1][31:0]);
    if (clear) high <= '0;
    else if (valid_high) high <= high + 30'(high_part) + 30'(carry);
  end
  assign y = {high, low};
endmodule
