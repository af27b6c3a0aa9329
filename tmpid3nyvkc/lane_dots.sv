// The dot products of a quad's columns for one token: a DSP block multiplies an activation by two rows' weights.
//
// Eight blocks in cascade add up the columns of a word, the last one the words of a quad. `weights` has 16 rows
// of 4 bits for each column, column c as much later as its block is in the cascade, as are the activations here.
// `first` comes 8 cycles behind a quad's first word; `pairs` hold its sums 10 cycles behind a word: two rows each,
// the lower one plus 2^17, so that its sign does not reach the other one.
module lane_dots (
    input logic clk,
    input logic enable,
    input logic [511:0] weights,
    input logic [71:0] activations,
    input logic first,
    output logic [287:0] pairs
);
  logic [71:0] skewed;
  for (genvar j = 0; j < 8; j++) begin : g_skew
    delay #(.BITS(9), .CYCLES(j < 2 ? 0 : j - 1)) u_later (
        .clk, .enable, .x(activations[9*j+:9]), .y(skewed[9*j+:9])
    );
  end
  for (genvar c = 0; c < 8; c++) begin : g_pairs
    logic [47:0] cascade[9];
    assign cascade[0] = '0;
    for (genvar j = 0; j < 8; j++) begin : g_columns
      logic [47:0] p;
      logic [8:0] opmode;
      assign opmode = j == 0 ? 9'b00_000_01_01 : j < 7 ? 9'b00_001_01_01 : {first ? 2'b10 : 2'b01, 7'b001_01_01};
      dsp_block #(.STAGES(j == 0 ? 1 : 2), .RND(48'h20000)) u_block (
          .clk, .enable, .a({5'd0, weights[64*j+8*c+4+:4], 14'd0, weights[64*j+8*c+:4]}),
          .b({{9{skewed[9*j+8]}}, skewed[9*j+:9]}), .c('0), .opmode, .pcin(cascade[j]), .p(p), .pcout(cascade[j+1])
      );
      if (j == 7) begin : g_last
        assign pairs[36*c+:36] = p[35:0];
      end
    end
  end
endmodule
