// The sum of COUNT numbers of BITS bits, a cycle for each level of the tree.
module sum_tree #(parameter int COUNT = 16, parameter int BITS = 32) (
    input logic clk,
    input logic enable,
    input logic [COUNT*BITS-1:0] x,
    output logic [BITS-1:0] y
);
  logic [BITS-1:0] tree[2*COUNT];
  assign y = tree[1];
  for (genvar i = 0; i < COUNT; i++) assign tree[COUNT+i] = x[BITS*i+:BITS];
  for (genvar i = 1; i < COUNT; i++) begin : g_nodes
    always_ff @(posedge clk) if (enable) tree[i] <= tree[2*i] + tree[2*i+1];
  end
endmodule
