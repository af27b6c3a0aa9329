// A FIFO in shift registers: writes move everything on by one, the fill is the address of the oldest word.
module fifo_shift #(parameter int DEPTH = 32, parameter int BITS = 512) (
    input logic clk,
    input logic reset,
    input logic write,
    input logic [BITS-1:0] x,
    output logic full,
    input logic read,
    output logic [BITS-1:0] y,
    output logic empty
);
  localparam int kWidth = $clog2(DEPTH + 1);
  logic [kWidth-1:0] fill;
  logic [$clog2(DEPTH)-1:0] oldest;
  logic put, take;
  assign full = fill == kWidth'(DEPTH);
  assign empty = fill == 0;
  assign put = write && !full;
  assign take = read && !empty;
  assign oldest = ($clog2(DEPTH))'(fill - 1'b1);
  for (genvar b = 0; b < BITS; b++) begin : g_bits
    logic [DEPTH-1:0] bits;
    always_ff @(posedge clk) if (put) bits <= {bits[DEPTH-2:0], x[b]};
    assign y[b] = bits[oldest];
  end
  always_ff @(posedge clk) begin
    if (reset) fill <= '0;
    else if (put != take) fill <= put ? fill + 1'b1 : fill - 1'b1;
  end
endmodule
