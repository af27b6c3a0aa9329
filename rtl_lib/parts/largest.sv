// The largest of INPUTS (a power of two) unsigned numbers: a tree of registers, one result a cycle.
module largest #(parameter int INPUTS = 16, parameter int BITS = 32) (
    input logic clk,
    input logic [INPUTS*BITS-1:0] x,
    output logic [BITS-1:0] y
);
  logic [BITS-1:0] node[2*INPUTS];
  for (genvar i = 0; i < INPUTS; i++) assign node[INPUTS+i] = x[i*BITS+:BITS];
  for (genvar i = 1; i < INPUTS; i++) begin : g_nodes
    always_ff @(posedge clk) node[i] <= node[2*i] > node[2*i+1] ? node[2*i] : node[2*i+1];
  end
  assign y = node[1];
endmodule
