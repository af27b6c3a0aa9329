// `stb::attention_scores` over the whole context, without a cap, slopes or sinks; C is the scale of the scores.
//
// Of each head of k and v come the scales of its rows, then row by row the words of dot products, with the first
// row the scales of its positions, which go on. A score takes 14 cycles and waits for the row's greatest one, which
// takes 20.
module scores_twin #(
    parameter int RUNS = 2,
    parameter int KV_HEADS = 3,
    parameter int SHARED = 3,
    parameter int CHUNK = 8,
    parameter int CONTEXT = 1024,
    parameter int C = 189097
) (
    input logic clk,
    input logic reset,
    input logic cmd_valid,
    output logic cmd_ready,
    input logic [63:0] cmd,
    input logic products_valid,
    output logic products_ready,
    input logic [511:0] products,
    input logic dots_valid,
    output logic dots_ready,
    input logic [511:0] dots,
    input logic scales_valid,
    output logic scales_ready,
    input logic [511:0] scales,
    input logic old_scales_valid,
    output logic old_scales_ready,
    input logic [511:0] old_scales,
    output logic scores_valid,
    input logic scores_ready,
    output logic [511:0] scores,
    output logic tops_valid,
    input logic tops_ready,
    output logic [511:0] tops,
    output logic value_scales_valid,
    input logic value_scales_ready,
    output logic [511:0] value_scales
);
  localparam int kDepth = 20, kScore = 14;
  localparam int kPositionWords = 2 * ((CONTEXT + 31) / 32) + (31 + CHUNK + 15) / 16;
  localparam int kWord = $clog2(kPositionWords);
  localparam int kRowWords = (CHUNK * SHARED + 15) / 16;
  localparam int kRow = kRowWords > 1 ? $clog2(16 * kRowWords) : 5;
  localparam int kOwn = 17;
  localparam logic [31:0] kNoSink = 32'h8000_0001;
  typedef enum logic [1:0] {IDLE, ROWS, SCORES} phase_t;
  phase_t phase;
  logic [15:0] tokens, head, runs, shared;
  logic [kRow-1:0] row, last_row;
  logic [kWord-1:0] word, old_words, last_word;
  logic [4:0] gap;
  logic signed [kOwn-1:0] own, pos;  // from the first position of the word
  logic [kDepth:1] steps, lasts, firsts;
  logic advance, old, first_row, there, step, ends, all_ends, word_ends, moving, room;

  // words of 16 positions: those in full blocks, then the recent ones
  logic [5:0] recents;
  assign recents = 6'(cmd[36:32]) + 6'(cmd[5:0]);
  assign room = scores_ready && (tops_ready || !lasts[kDepth]) && (value_scales_ready || !firsts[kDepth]);
  assign advance = !steps[kDepth] || room;
  assign scores_valid = steps[kDepth] && room;
  assign tops_valid = scores_valid && lasts[kDepth];
  assign value_scales_valid = scores_valid && firsts[kDepth];
  assign first_row = row == '0;
  assign cmd_ready = phase == IDLE && gap == '0;
  assign old = word < old_words;
  assign moving = phase != IDLE && gap == '0 && advance;
  assign scales_ready = step && (phase == ROWS || (first_row && !old));
  assign old_scales_ready = step && phase == SCORES && first_row && old;
  assign products_ready = step && phase == SCORES && old;
  assign dots_ready = step && phase == SCORES && !old;
  always_comb begin
    if (phase == ROWS) there = scales_valid;
    else if (old) there = products_valid && (!first_row || old_scales_valid);
    else there = dots_valid && (!first_row || scales_valid);
  end
  assign step = moving && there;
  assign word_ends = word == last_word;
  assign ends = phase == ROWS ? row[kRow-1:4] == last_row[kRow-1:4] : word_ends && row == last_row;
  assign all_ends = ends && phase == SCORES && head == 16'(KV_HEADS - 1);
  always_ff @(posedge clk) begin
    if (reset) begin
      phase <= IDLE;
      {steps, gap} <= '0;
    end else begin
      if (cmd_valid && cmd_ready) phase <= ROWS;
      else if (step && ends) phase <= phase == ROWS ? SCORES : all_ends && runs == 16'd1 ? IDLE : ROWS;
      if (step && all_ends) gap <= 5'(kDepth);
      else if (gap != '0 && advance) gap <= gap - 1'b1;
      if (advance) begin
        steps <= {steps[kDepth-1:1], step && phase == SCORES};
      end
    end
    if (cmd_valid && cmd_ready) begin
      tokens <= cmd[15:0];
      runs <= 16'(RUNS);
      head <= '0;
      pos <= kOwn'(cmd[63:32]);
      own <= kOwn'(cmd[63:32]);
      old_words <= kWord'({cmd[63:37], 1'b0});
      last_word <= kWord'({cmd[63:37], 1'b0}) + kWord'((recents + 6'd15) >> 4) - 1'b1;
      last_row <= kRow'(cmd[15:0] * 16'(SHARED) - 1'b1);
      {row, word, shared} <= '0;
    end else if (step) begin
      if (phase == ROWS) row <= ends ? '0 : row + 5'd16;
      else begin
        word <= word_ends ? '0 : word + 1'b1;
        own <= word_ends ? pos : own - kOwn'(16);
        if (word_ends) begin
          row <= row == last_row ? '0 : row + 1'b1;
          shared <= shared == 16'(SHARED - 1) ? '0 : shared + 1'b1;
          if (shared == 16'(SHARED - 1)) {own, pos} <= {2{pos + 1'b1}};
          if (row == last_row) begin
            head <= all_ends ? '0 : head + 1'b1;
            if (all_ends) runs <= runs - 1'b1;
            {own, pos} <= {2{pos - kOwn'(tokens) + 1'b1}};
          end
        end
      end
    end
    if (advance) {lasts, firsts} <= {lasts[kDepth-1:1], word_ends, firsts[kDepth-1:1], first_row};
  end

  // cycles 1 to 3: the word, its positions' scales and those of its row
  logic [287:0] in_scales, fresh2, fresh3, read2, read3, positions3;
  logic [287:0] memory[kPositionWords];
  logic [207:0] in_rows, row_words[kRowWords], row2;
  logic [383:0] dots1, dots3;
  logic [kWord-1:0] address1;
  logic [kRow-1:0] row1;
  logic [3:0] lane2;
  logic [511:0] moved;
  logic signed [kOwn-1:0] own1;
  logic [15:0] seen2, seen3, seen13;
  logic [12:0] row3;
  for (genvar l = 0; l < 16; l++) begin : g_in
    logic [31:0] scale;
    assign scale = moved[32*l+:32];
    assign in_scales[18*l+:18] = {scale[28:24], scale[12:0]};
    assign in_rows[13*l+:13] = scales[32*l+:13];
  end
  always_ff @(posedge clk) if (advance) begin
    moved <= old ? old_scales : scales;
    if (steps[1] && firsts[1]) memory[address1] <= in_scales;
    if (step && phase == ROWS) row_words[row[kRow-1:4]] <= in_rows;
    {address1, row1, own1} <= {word, row, own};
    for (int l = 0; l < 16; l++) dots1[24*l+:24] <= old ? products[32*l+:24] : dots[32*l+:24];
    {read3, read2} <= {read2, memory[address1]};
    {fresh3, fresh2} <= {fresh2, in_scales};
    row2 <= row_words[row1[kRow-1:4]];
    lane2 <= row1[3:0];
    row3 <= row2[13*lane2+:13];
    for (int l = 0; l < 16; l++) seen2[l] <= !own1[kOwn-1] && (own1[kOwn-2:4] != '0 || own1[3:0] >= 4'(l));
    seen3 <= seen2;
  end
  assign positions3 = firsts[3] ? fresh3 : read3;
  delay #(.BITS(512), .CYCLES(kDepth - 1)) u_moved (.clk, .enable(advance), .x(moved), .y(value_scales));
  delay #(.BITS(384), .CYCLES(2)) u_dots (.clk, .enable(advance), .x(dots1), .y(dots3));

  // to cycle 6: the row's factor; to 10: the shifts; 14: the scores
  logic signed [26:0] factor6;
  logic [5:0] row_shift4, row_shift9;
  logic signed [28:0] factor;
  product #(.A(20), .B(9)) u_factor (
      .clk, .enable(advance), .a(20'(C)), .b({1'b0, row3[7:0]}), .y(factor)
  );
  assign factor6 = factor[26:0];
  always_ff @(posedge clk) if (advance) row_shift4 <= 6'd50 - 6'(row3[12:8]);
  delay #(.BITS(6), .CYCLES(5)) u_shift (.clk, .enable(advance), .x(row_shift4), .y(row_shift9));
  delay #(.BITS(16), .CYCLES(10)) u_seen (.clk, .enable(advance), .x(seen3), .y(seen13));
  logic [511:0] scores14;
  logic [79:0] exponents3, exponents13, exponents14;
  for (genvar l = 0; l < 16; l++) begin : g_lanes
    logic [4:0] exponent9;
    logic [5:0] shift10;
    delay #(.BITS(5), .CYCLES(6)) u_exponent (
        .clk, .enable(advance), .x(positions3[18*l+8+:5]), .y(exponent9)
    );
    always_ff @(posedge clk) if (advance) shift10 <= row_shift9 - 6'(exponent9);
    logic signed [23:0] dot;
    assign dot = dots3[24*l+:24] & {24{seen3[l]}};
    score_lane u_lane (
        .clk, .enable(advance), .dot, .mantissa(positions3[18*l+:8]), .factor(factor6), .shift(shift10),
        .seen(seen13[l]), .y(scores14[32*l+:32])
    );
    assign exponents3[5*l+:5] = positions3[18*l+13+:5];
    always_ff @(posedge clk) if (advance) exponents14[5*l+:5] <= exponents13[5*l+:5] & {5{seen13[l]}};
  end
  delay #(.BITS(80), .CYCLES(10)) u_exponents (.clk, .enable(advance), .x(exponents3), .y(exponents13));

  // to cycle 18: the greatest of the word; 19: of the row so far; 20: out
  logic signed [31:0] top18, top19;
  logic [95:0] exponents14_signed;
  logic signed [5:0] exponent18, exponent19;
  logic first18;
  largest_tree #(.COUNT(16), .BITS(32)) u_top (.clk, .enable(advance), .x(scores14), .y(top18));
  for (genvar l = 0; l < 16; l++) assign exponents14_signed[6*l+:6] = {1'b0, exponents14[5*l+:5]};
  largest_tree #(.COUNT(16), .BITS(6)) u_exponent (
      .clk, .enable(advance), .x(exponents14_signed), .y(exponent18)
  );
  delay #(.BITS(512), .CYCLES(kDepth - kScore)) u_scores (.clk, .enable(advance), .x(scores14), .y(scores));
  delay #(.BITS(1), .CYCLES(18)) u_first (.clk, .enable(advance), .x(word == '0), .y(first18));
  logic signed [31:0] top_before;
  assign top_before = first18 ? $signed(kNoSink) : top19;
  always_ff @(posedge clk) if (advance) begin
    if (steps[18]) begin
      top19 <= top18 > top_before ? top18 : top_before;
      exponent19 <= first18 || exponent18 > exponent19 ? exponent18 : exponent19;
    end
    tops <= {416'd0, kNoSink, 26'd0, exponent19, top19};
  end
endmodule
