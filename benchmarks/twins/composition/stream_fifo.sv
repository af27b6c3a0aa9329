// A stream between two twins with the timed network's rules: what is written in a cycle can be read in the next one,
// and what is read in a cycle has left its place for a write in the next one.
module stream_fifo #(parameter int DEPTH = 4, parameter int BITS = 512) (
    input logic clk,
    input logic reset,
    input logic x_valid,
    output logic x_ready,
    input logic [BITS-1:0] x,
    output logic y_valid,
    input logic y_ready,
    output logic [BITS-1:0] y,
    output logic moves,
    output logic holds
);
  localparam int kWidth = DEPTH > 1 ? $clog2(DEPTH) : 1;
  logic [BITS-1:0] words[DEPTH];
  logic [kWidth-1:0] newest, oldest;
  logic [kWidth:0] fill;
  logic put, take;
  assign x_ready = fill != (kWidth + 1)'(DEPTH);
  assign y_valid = fill != '0;
  assign y = words[oldest];
  assign put = x_valid && x_ready;
  assign take = y_valid && y_ready;
  assign moves = put || take;
  assign holds = y_valid;
  always_ff @(posedge clk) begin
    if (put) words[newest] <= x;
    if (reset) {newest, oldest, fill} <= '0;
    else begin
      if (put) newest <= newest == kWidth'(DEPTH - 1) ? '0 : newest + 1'b1;
      if (take) oldest <= oldest == kWidth'(DEPTH - 1) ? '0 : oldest + 1'b1;
      fill <= fill + (kWidth + 1)'(put) - (kWidth + 1)'(take);
    end
  end
endmodule
