// An arithmetic shift to the right by a number of the data, two registers deep.
module shift #(parameter int BITS = 64, parameter int DISTANCES = 64) (
    input logic clk,
    input logic signed [BITS-1:0] x,
    input logic [$clog2(DISTANCES)-1:0] distance,
    output logic signed [BITS-1:0] y
);
  localparam int kWidth = $clog2(DISTANCES), kLow = kWidth / 2;
  logic signed [BITS-1:0] half;
  logic [kLow-1:0] rest;
  always_ff @(posedge clk) begin
    half <= x >>> {distance[kWidth-1:kLow], {kLow{1'b0}}};
    rest <= distance[kLow-1:0];
    y <= half >>> rest;
  end
endmodule
