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
  logic [BITS-1:0] words[DEPTH];
  logic [kWidth-1:0] fill;
  logic [$clog2(DEPTH)-1:0] oldest;
  logic put, take;
  assign full = fill == kWidth'(DEPTH);
  assign empty = fill == 0;
  assign put = write && !full;
  assign take = read && !empty;
  assign oldest = ($clog2(DEPTH))'(fill - 1'b1);
  assign y = words[oldest];
  always_ff @(posedge clk) begin
    if (put) begin
      words[0] <= x;
      for (int i = 1; i < DEPTH; i++) words[i] <= words[i-1];
    end
    if (reset) fill <= '0;
    else if (put != take) fill <= put ? fill + 1'b1 : fill - 1'b1;
  end
endmodule
