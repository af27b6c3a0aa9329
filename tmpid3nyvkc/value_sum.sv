// A sum of weighted values: products of four positions' weights by their int8, or sums of the engine for one byte of
// the weights. Products are in the sum 7 cycles behind their factors; `add` comes 6 cycles behind them.
//
// Four DSP blocks in cascade; a factor comes as much later as its block is in the cascade.
module value_sum (
    input logic clk,
    input logic enable,
    input logic [95:0] weights,
    input logic [31:0] values,
    input logic add,
    input logic is_product,
    input logic keep,
    input logic signed [47:0] x,
    output logic signed [47:0] y
);
  logic [47:0] cascade[5];
  assign cascade[0] = '0;
  for (genvar b = 0; b < 4; b++) begin : g_banks
    logic [47:0] p;
    dsp_block #(.STAGES(b == 0 ? 1 : 2)) u_block (
        .clk, .enable, .a({3'd0, weights[24*b+:24]}), .b({{10{values[8*b+7]}}, values[8*b+:8]}), .c('0),
        .opmode(b == 0 ? 9'b00_000_01_01 : 9'b00_001_01_01), .pcin(cascade[b]), .p(p), .pcout(cascade[b+1])
    );
    if (b == 3) begin : g_last
      always_ff @(posedge clk) begin
        if (enable && add) y <= (keep ? y : '0) + (is_product ? 48'($signed(p[35:0])) : x);
      end
    end
  end
endmodule
