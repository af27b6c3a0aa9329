// The largest magnitude of a group of words: lane by lane as they come, then a tree; 6 cycles behind the last word.
module group_top (
    input logic clk,
    input logic reset,
    input logic enable,
    input logic valid,
    input logic last,
    input logic [511:0] x,
    output logic [31:0] y
);
  logic [31:0] tree[32];
  logic valid1, last1, first;
  assign y = tree[1];
  always_ff @(posedge clk) begin
    if (reset) {valid1, last1, first} <= 3'b001;
    else if (enable) begin
      {valid1, last1} <= {valid, last};
      if (valid1) first <= last1;
    end
  end
  for (genvar l = 0; l < 16; l++) begin : g_lanes
    logic [31:0] size;
    always_ff @(posedge clk) if (enable) begin
      size <= x[32*l+31] ? -x[32*l+:32] : x[32*l+:32];
      if (valid1 && (first || size > tree[16+l])) tree[16+l] <= size;
    end
  end
  for (genvar i = 1; i < 16; i++) begin : g_nodes
    always_ff @(posedge clk) if (enable) tree[i] <= tree[2*i] > tree[2*i+1] ? tree[2*i] : tree[2*i+1];
  end
endmodule
