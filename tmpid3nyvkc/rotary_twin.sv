// `stb::rotary` with halves of whole words: HEADS heads of HEAD_WORDS words, of which ROTARY_WORDS are rotated.
//
// A launch's rows of cos and sin come in once; then each head comes in and goes out, for all tokens, in all runs.
module rotary_twin #(
    parameter int RUNS = 2,
    parameter int HEADS = 3,
    parameter int HEAD_WORDS = 4,
    parameter int ROTARY_WORDS = 4,
    parameter int CHUNK = 8
) (
    input logic clk,
    input logic reset,
    input logic cmd_valid,
    output logic cmd_ready,
    input logic [63:0] cmd,
    input logic x_valid,
    output logic x_ready,
    input logic [511:0] x,
    input logic rows_valid,
    output logic rows_ready,
    input logic [511:0] rows,
    output logic y_valid,
    input logic y_ready,
    output logic [511:0] y
);
  localparam int kDepth = 11;
  localparam int kHalf = ROTARY_WORDS / 2;
  localparam int kRowWords = 2 * ROTARY_WORDS;
  localparam int kWord = $clog2(HEAD_WORDS);
  localparam int kRow = $clog2(kRowWords);
  localparam int kToken = $clog2(CHUNK);
  logic [15:0] tokens, token, run, head_index, row_token;
  logic [kWord-1:0] word, word1, partner1;
  logic [kToken-1:0] token1;
  logic [kRow-1:0] row_word;
  logic [kDepth-1:0] stages;
  logic loading, turning, out, step, advance, last_word, last_head, last_token, last_run, row_ends;
  logic [511:0] head[HEAD_WORDS];
  logic [287:0] entries, row[kRowWords];  // 18 bits of each lane; those of the token, one of each memory
  logic [287:0] cos2, sin2, cos3, sin3;
  logic [511:0] x2, partner2, x3, passed;
  logic second2, rotated2, rotates;
  assign cmd_ready = !loading && !turning && stages == '0;
  assign rows_ready = loading;
  assign y_valid = stages[kDepth-1];
  assign advance = !y_valid || y_ready;
  assign step = turning && advance && (out || x_valid);
  assign x_ready = turning && advance && !out;
  assign row_ends = row_word == kRow'(kRowWords - 1);
  assign last_word = word == kWord'(HEAD_WORDS - 1);
  assign last_head = head_index == 16'(HEADS - 1);
  assign last_token = token == tokens - 1'b1;
  assign last_run = run == 16'(RUNS - 1);
  always_ff @(posedge clk) begin
    if (reset) begin
      {loading, turning, out} <= '0;
      stages <= '0;
    end else begin
      if (cmd_valid && cmd_ready) begin
        tokens <= cmd[15:0];
        loading <= cmd[15:0] != '0;
        {row_token, row_word} <= '0;
        {token, run, head_index, word, out} <= '0;
      end else if (loading && rows_valid) begin
        row_word <= row_ends ? '0 : row_word + 1'b1;
        if (row_ends) row_token <= row_token + 1'b1;
        if (row_ends && row_token == tokens - 1'b1) {loading, turning} <= 2'b01;
      end else if (step) begin
        word <= last_word ? '0 : word + 1'b1;
        if (last_word) out <= !out;
        if (last_word && out) head_index <= last_head ? '0 : head_index + 1'b1;
        if (last_word && out && last_head) token <= last_token ? '0 : token + 1'b1;
        if (last_word && out && last_head && last_token) run <= run + 1'b1;
        if (last_word && out && last_head && last_token && last_run) turning <= 1'b0;
      end
      if (advance) stages <= kDepth'({stages, step && out});
    end
  end
  for (genvar l = 0; l < 16; l++) assign entries[18*l+:18] = rows[32*l+:18];
  for (genvar i = 0; i < kRowWords; i++) begin : g_rows
    (* ram_style = "distributed" *) logic [287:0] memory[CHUNK];
    always_ff @(posedge clk)
      if (loading && rows_valid && row_word == kRow'(i)) memory[row_token[kToken-1:0]] <= entries;
    assign row[i] = memory[token1];
  end
  for (genvar i = 0; i < HEAD_WORDS; i++) begin : g_head
    always_ff @(posedge clk) if (step && !out && word == kWord'(i)) head[i] <= x;
  end
  assign partner1 = word1 >= kWord'(kHalf) ? word1 - kWord'(kHalf) : word1 + kWord'(kHalf);
  always_ff @(posedge clk) if (advance) begin
    {word1, token1} <= {word, token[kToken-1:0]};
    {x2, partner2} <= {head[word1], head[partner1]};
    {cos2, sin2} <= {row[kRow'(word1)], row[kRow'(word1)+kRow'(ROTARY_WORDS)]};
    second2 <= word1 >= kWord'(kHalf);
    rotated2 <= 32'(word1) < ROTARY_WORDS;
    {x3, cos3, sin3} <= {x2, cos2, sin2};
  end
  if (HEAD_WORDS > ROTARY_WORDS) begin : g_pass
    delay #(.BITS(512), .CYCLES(7)) u_passed (.clk, .enable(advance), .x(x3), .y(passed));
    delay #(.BITS(1), .CYCLES(8)) u_rotates (.clk, .enable(advance), .x(rotated2), .y(rotates));
  end else begin : g_all
    assign {passed, rotates} = {512'd0, 1'b1};
  end
  for (genvar l = 0; l < 16; l++) begin : g_lanes
    logic [31:0] other3, turned;
    rotary_lane u_lane (
        .clk, .enable(advance), .x(x3[32*l+:32]), .other(other3), .cos(cos3[18*l+:18]), .sin(sin3[18*l+:18]),
        .y(turned)
    );
    always_ff @(posedge clk) if (advance) begin
      other3 <= second2 ? partner2[32*l+:32] : -partner2[32*l+:32];
      y[32*l+:32] <= rotates ? turned : passed[32*l+:32];
    end
  end
endmodule
