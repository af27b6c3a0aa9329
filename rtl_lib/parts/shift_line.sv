// A number that comes CYCLES cycles later, in shift registers.
module shift_line #(parameter int BITS = 64, parameter int CYCLES = 6) (
    input logic clk,
    input logic [BITS-1:0] x,
    output logic [BITS-1:0] y
);
  logic [CYCLES-1:0][BITS-1:0] held;
  always_ff @(posedge clk) held <= {held[CYCLES-2:0], x};
  assign y = held[CYCLES-1];
endmodule
