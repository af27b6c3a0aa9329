// The greatest element, signed, of the words since `clear`: 5 cycles behind the last one, a tree of five.
module norm_extreme (
    input logic clk,
    input logic clear,
    input logic valid,
    input logic [511:0] x,
    output logic signed [31:0] y
);
  logic signed [31:0] tree[32];
  logic valid_later;
  delay #(.BITS(1), .CYCLES(4)) u_valid (.clk, .enable(1'b1), .x(valid), .y(valid_later));
  for (genvar l = 0; l < 16; l++) begin : g_lanes
    assign tree[16+l] = x[32*l+:32];
  end
  for (genvar i = 1; i < 16; i++) begin : g_nodes
    always_ff @(posedge clk) tree[i] <= tree[2*i] > tree[2*i+1] ? tree[2*i] : tree[2*i+1];
  end
  always_ff @(posedge clk) begin
    if (clear) y <= 32'h8000_0000;
    else if (valid_later && tree[1] > y) y <= tree[1];
  end
endmodule
