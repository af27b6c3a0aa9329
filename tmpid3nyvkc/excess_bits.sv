// The bits by which a magnitude is longer than 23 bits, a cycle later: what it is shifted by before it is squared.
module excess_bits (
    input logic clk,
    input logic [31:0] x,
    output logic [3:0] y
);
  logic [3:0] length;
  always_comb begin
    length = '0;
    for (int i = 23; i < 32; i++) if (x[i]) length = 4'(i - 22);
  end
  always_ff @(posedge clk) y <= length;
endmodule
