// Words that wait some cycles in LUT memory: up to 32, in order.
module word_queue (
    input logic clk,
    input logic reset,
    input logic enable,
    input logic write,
    input logic [511:0] x,
    input logic read,
    output logic [511:0] y
);
  (* ram_style = "distributed" *) logic [511:0] words[32];
  logic [4:0] newest, oldest;
  always_ff @(posedge clk) begin
    if (enable && write) words[newest] <= x;
    if (enable) y <= words[oldest];
    if (reset) {newest, oldest} <= '0;
    else if (enable) begin
      newest <= newest + 5'(write);
      oldest <= oldest + 5'(read);
    end
  end
endmodule
