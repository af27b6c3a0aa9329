// `stb::argmax` of the first VALID elements of WORDS words, which pass on; then the index of the first greatest one.
//
// Each lane keeps its greatest element so far and its word. Those of the lanes meet in a tree behind the last word:
// of equal elements the lower index wins, so that it stands inverted below the element.
module argmax_twin #(parameter int WORDS = 400, parameter int VALID = 6390) (
    input logic clk,
    input logic reset,
    input logic cmd_valid,
    output logic cmd_ready,
    input logic [63:0] cmd,
    input logic x_valid,
    output logic x_ready,
    input logic [511:0] x,
    output logic logits_valid,
    input logic logits_ready,
    output logic [511:0] logits,
    output logic token_valid,
    input logic token_ready,
    output logic [511:0] token
);
  localparam int kDepth = 3, kTree = 4;
  localparam int kIndex = $clog2(16 * WORDS), kWord = kIndex - 4;
  localparam int kKey = 32 + kIndex;
  logic [kWord-1:0] word, word1;
  logic [kDepth:1] stages;
  logic [kTree+2:1] ends;  // the last word: 1 it is there, 2 the lanes have taken it in, then the tree
  logic active, advance, last, first1;
  logic [511:0] x1, x2;
  logic [16*kKey-1:0] keys;
  logic signed [kKey-1:0] best;
  logic [kIndex-1:0] found;
  assign cmd_ready = !active && stages == '0 && ends == '0;
  assign logits_valid = stages[kDepth];
  assign token_valid = ends[kTree+2];
  assign advance = (!logits_valid || logits_ready) && (!token_valid || token_ready);
  assign x_ready = active && advance;
  assign last = word == kWord'(WORDS - 1);
  assign found = ~best[kIndex-1:0];
  assign token = 512'(found);
  largest_tree #(.COUNT(16), .BITS(kKey)) u_best (.clk, .enable(advance), .x(keys), .y(best));
  always_ff @(posedge clk) begin
    if (reset) begin
      active <= 1'b0;
      {stages, ends} <= '0;
    end else begin
      if (cmd_valid && cmd_ready) active <= cmd[16];
      else if (x_ready && x_valid && last) active <= 1'b0;
      if (advance) begin
        stages <= {stages[kDepth-1:1], x_ready && x_valid};
        ends <= {ends[kTree+1:1], x_ready && x_valid && last};
      end
    end
    if (cmd_valid && cmd_ready) word <= '0;
    else if (x_ready && x_valid) word <= word + 1'b1;
    if (advance) begin
      {logits, x2, x1} <= {x2, x1, x};
      {word1, first1} <= {word, word == '0};
    end
  end
  for (genvar l = 0; l < 16; l++) begin : g_lanes
    logic signed [31:0] element, value;
    logic [kWord-1:0] index;
    logic wins;
    assign element = 32'(word1) < VALID / 16 || (32'(word1) == VALID / 16 && l < VALID % 16) ? x1[32*l+:32] : 32'h8000_0000;
    assign wins = first1 || element > value;
    assign keys[kKey*l+:kKey] = {value, ~index, ~4'(l)};
    always_ff @(posedge clk) if (advance && stages[1] && wins) {value, index} <= {element, word1};
  end
endmodule
