// The largest magnitude of the words since `clear`: 6 cycles behind the last one, magnitudes and a tree of five.
module norm_top (
    input logic clk,
    input logic clear,
    input logic valid,
    input logic [511:0] x,
    output logic [31:0] y
);
  logic [31:0] tree[32];
  logic valid_later;
  delay #(.BITS(1), .CYCLES(5)) u_valid (.clk, .enable(1'b1), .x(valid), .y(valid_later));
  for (genvar l = 0; l < 16; l++) begin : g_lanes
    always_ff @(posedge clk) tree[16+l] <= x[32*l+31] ? -x[32*l+:32] : x[32*l+:32];
  end
  for (genvar i = 1; i < 16; i++) begin : g_nodes
    always_ff @(posedge clk) tree[i] <= tree[2*i] > tree[2*i+1] ? tree[2*i] : tree[2*i+1];
  end
  always_ff @(posedge clk) begin
    if (clear) y <= '0;
    else if (valid_later && tree[1] > y) y <= tree[1];
  end
endmodule
