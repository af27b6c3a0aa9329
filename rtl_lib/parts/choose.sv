// One of several words, chosen by the data, one a cycle.
module choose #(parameter int WAYS = 8, parameter int BITS = 64) (
    input logic clk,
    input logic [WAYS*BITS-1:0] x,
    input logic [$clog2(WAYS)-1:0] which,
    output logic [BITS-1:0] y
);
  always_ff @(posedge clk) y <= x[which*BITS+:BITS];
endmodule
