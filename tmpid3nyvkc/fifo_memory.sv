// A FIFO in a memory with a register behind it, in the memory that STYLE names (ram_style of Vivado).
module fifo_memory #(parameter int DEPTH = 512, parameter int BITS = 512, parameter STYLE = "block") (
    input logic clk,
    input logic reset,
    input logic write,
    input logic [BITS-1:0] x,
    output logic full,
    input logic read,
    output logic [BITS-1:0] y,
    output logic empty
);
  localparam int kWidth = $clog2(DEPTH);
  (* ram_style = STYLE *) logic [BITS-1:0] words[DEPTH];
  logic [kWidth-1:0] newest, oldest;
  logic [kWidth:0] fill;
  logic put, move, valid;
  assign full = fill == (kWidth + 1)'(DEPTH);
  assign put = write && !full;
  assign move = fill != 0 && (!valid || read);
  assign empty = !valid;
  always_ff @(posedge clk) begin
    if (put) words[newest] <= x;
    if (move) y <= words[oldest];
    if (reset) begin
      {newest, oldest, fill, valid} <= '0;
    end else begin
      if (put) newest <= newest + 1'b1;
      if (move) oldest <= oldest + 1'b1;
      if (put != move) fill <= put ? fill + 1'b1 : fill - 1'b1;
      valid <= move || (valid && !read);
    end
  end
endmodule
