// One of several words, chosen by the data, one a cycle.
module choose #(parameter int WAYS = 8, parameter int BITS = 64) (
    input logic clk,
    input logic [WAYS*BITS-1:0] x,
    input logic [$clog2(WAYS)-1:0] which,
    output logic [BITS-1:0] y
);
  localparam int kWays = 1 << $clog2(WAYS);  // those that are not there are never chosen
  logic [kWays*BITS-1:0] all;
  assign all = (kWays*BITS)'(x);
  always_ff @(posedge clk) y <= all[which*BITS+:BITS];
endmodule
