// `stb::attention_weights` over the whole context: words of a row's scores come in while those of the row before go
// out as weights, a byte of 32 of them a word.
//
// The weights of full blocks lie in a memory of two rows from cycle 15 on, where it is read too; those of recent
// positions and the sum of a row's powers wait until cycle 18, when the bytes of weights are there.
module weights_twin #(
    parameter int RUNS = 2,
    parameter int KV_HEADS = 3,
    parameter int SHARED = 3,
    parameter int CHUNK = 8,
    parameter int CONTEXT = 1024,
    parameter TABLE = "power_table.hex"
) (
    input logic clk,
    input logic reset,
    input logic cmd_valid,
    output logic cmd_ready,
    input logic [63:0] cmd,
    input logic scores_valid,
    output logic scores_ready,
    input logic [511:0] scores,
    input logic tops_valid,
    output logic tops_ready,
    input logic [511:0] tops,
    input logic value_scales_valid,
    output logic value_scales_ready,
    input logic [511:0] value_scales,
    output logic weights_valid,
    input logic weights_ready,
    output logic [511:0] weights,
    output logic recent_valid,
    input logic recent_ready,
    output logic [511:0] recent,
    output logic totals_valid,
    input logic totals_ready,
    output logic [511:0] totals
);
  localparam int kDepth = 18, kWeighed = 15;
  localparam int kBlocks = (CONTEXT + 31) / 32, kBlock = $clog2(kBlocks);
  localparam int kWords = 2 * kBlocks + (31 + CHUNK + 15) / 16, kWord = $clog2(3 * kBlocks);
  typedef struct packed {
    logic [kBlock:0] address;
    logic [1:0] slice;
    logic gives, takes, keeps, half, first, last;
  } step_t;
  logic [15:0] row, all_rows, head_row, last_head_row, runs;
  logic [kWord-1:0] word, words, kept_words, bytes;
  logic [kBlock-1:0] block, last_block;
  logic [1:0] slice;
  logic [4:0] gap;
  logic [5:0] recents;
  logic running, odd, blocks, advance, moving, step, takes, gives, row_ends, last_row, new_head;
  logic weights_out, recent_out, totals_out;
  step_t now, at15, at17, at18;

  assign recents = 6'(cmd[36:32]) + 6'(cmd[5:0]);
  assign cmd_ready = !running && gap == '0;
  assign moving = running && gap == '0 && advance;
  assign takes = row < all_rows && word < words;
  assign gives = row != '0 && word < bytes;
  assign new_head = head_row == '0;
  assign step = moving && (!takes || (scores_valid && (word != '0 || tops_valid) && (!new_head || value_scales_valid)));
  assign scores_ready = step && takes;
  assign tops_ready = step && takes && word == '0;
  assign value_scales_ready = step && takes && new_head;
  assign row_ends = (row >= all_rows || word >= words - 1'b1) && (row == '0 || !blocks || word >= bytes - 1'b1);
  assign last_row = row == all_rows - 16'(!blocks);
  assign now.gives = step && gives;
  assign now.takes = step && takes;
  assign now.keeps = word < kept_words;
  assign now.half = word[0];
  assign now.first = word == '0;
  assign now.last = word == words - 1'b1;
  assign now.slice = slice;
  assign now.address = {odd, gives ? block : kBlock'(word >> 1)};
  always_ff @(posedge clk) begin
    if (reset) begin
      running <= 1'b0;
      gap <= '0;
    end else begin
      if (cmd_valid && cmd_ready) running <= 1'b1;
      else if (step && row_ends && last_row && runs == 16'd1) running <= 1'b0;
      if (step && row_ends && last_row) gap <= 5'(kDepth);
      else if (gap != '0 && advance) gap <= gap - 1'b1;
    end
    if (cmd_valid && cmd_ready) begin
      runs <= 16'(RUNS);
      all_rows <= cmd[15:0] * 16'(KV_HEADS * SHARED);
      last_head_row <= cmd[15:0] * 16'(SHARED) - 1'b1;
      blocks <= cmd[63:37] != '0;
      last_block <= kBlock'(cmd[63:37]) - 1'b1;
      kept_words <= kWord'({cmd[63:37], 1'b0});
      bytes <= kWord'(cmd[63:37]) + kWord'({cmd[63:37], 1'b0});
      words <= kWord'({cmd[63:37], 1'b0}) + kWord'((recents + 6'd15) >> 4);
      {row, head_row, word, block, slice, odd} <= '0;
    end else if (step) begin
      word <= row_ends ? '0 : word + 1'b1;
      block <= row_ends || block == last_block ? '0 : block + 1'b1;
      slice <= row_ends ? '0 : block == last_block ? slice + 1'b1 : slice;
      if (row_ends) begin
        row <= last_row ? '0 : row + 1'b1;
        odd <= !last_row && !odd;
        head_row <= last_row || head_row == last_head_row ? '0 : head_row + 1'b1;
        if (last_row) runs <= runs - 1'b1;
      end
    end
  end

  // cycles 1 to 4: the scales of the positions, which come with a head's first row
  logic [207:0] in_scales, scales1, scales2, scales3, read2, read3, scales4;
  logic [207:0] memory[kWords];
  logic new1, new2, new3;
  logic [kWord-1:0] word1;
  logic stores1;
  logic [95:0] top0, held;  // greatest score and exponent of the row, its sink's score
  assign top0 = word == '0 ? tops[95:0] : held;
  for (genvar l = 0; l < 16; l++) assign in_scales[13*l+:13] = {value_scales[32*l+24+:5], value_scales[32*l+16+:8]};
  always_ff @(posedge clk) if (advance) begin
    if (tops_ready) held <= tops[95:0];
    {scales3, scales2, scales1} <= {scales2, scales1, in_scales};
    {new3, new2, new1} <= {new2, new1, new_head};
    {word1, stores1} <= {word, value_scales_ready};
    if (stores1) memory[word1] <= scales1;
    {read3, read2} <= {read2, memory[word1]};
    scales4 <= new3 ? scales3 : read3;
  end

  // to cycle 10: powers; 13: products; 15: weights; what a row has in common beside them
  logic [16:0] powers10[16], sink10, sink15;
  logic [127:0] mantissas4, mantissas10;
  logic [79:0] below5, below13;
  logic [4:0] top_exponent4;
  logic [511:0] w15;
  logic any0, held_any, first10, takes10;
  assign any0 = word == '0 ? tops[96] : held_any;
  delay #(.BITS(5), .CYCLES(4)) u_top_exponent (.clk, .enable(advance), .x(top0[36:32]), .y(top_exponent4));
  delay #(.BITS(128), .CYCLES(6)) u_mantissas (.clk, .enable(advance), .x(mantissas4), .y(mantissas10));
  delay #(.BITS(80), .CYCLES(8)) u_below (.clk, .enable(advance), .x(below5), .y(below13));
  delay #(.BITS(2), .CYCLES(10)) u_first (
      .clk, .enable(advance), .x({now.first, now.takes}), .y({first10, takes10})
  );
  power_lane #(.TABLE(TABLE)) u_sink (
      .clk, .enable(advance), .score(any0 ? top0[95:64] : 32'h8000_0000), .top(top0[31:0]), .y(sink10)
  );
  delay #(.BITS(17), .CYCLES(5)) u_sink_later (.clk, .enable(advance), .x(sink10), .y(sink15));
  always_ff @(posedge clk) if (advance && tops_ready) held_any <= tops[96];
  logic [511:0] sums11;
  for (genvar l = 0; l < 16; l++) begin : g_lanes
    assign mantissas4[8*l+:8] = scales4[13*l+:8];
    power_lane #(.TABLE(TABLE)) u_power (
        .clk, .enable(advance), .score(scores[32*l+:32]), .top(top0[31:0]), .y(powers10[l])
    );
    weight_lane u_weight (
        .clk, .enable(advance), .power(powers10[l]), .mantissa(mantissas10[8*l+:8]), .below(below13[5*l+:5]),
        .y(w15[32*l+:24])
    );
    assign w15[32*l+24+:8] = '0;
    always_ff @(posedge clk) if (advance) begin
      below5[5*l+:5] <= top_exponent4 < scales4[13*l+8+:5] ? 5'd0 : top_exponent4 - scales4[13*l+8+:5];
      if (takes10) sums11[32*l+:32] <= 32'(powers10[l]) + (first10 ? '0 : sums11[32*l+:32]);
    end
  end

  // cycle 15: a word into the memory of two rows, another one out of it, of which a byte of each number is left in 18
  localparam int kStep = kBlock + 9;  // bits of step_t
  logic [767:0] read16, read17;
  logic [383:0] w15_packed;
  logic [kBlock:0] into15, from15;
  assign from15 = at15.address;
  delay #(.BITS(kStep), .CYCLES(kWeighed)) u_at15 (.clk, .enable(advance), .x(now), .y(at15));
  delay #(.BITS(kStep), .CYCLES(2)) u_at17 (.clk, .enable(advance), .x(at15), .y(at17));
  delay #(.BITS(kBlock + 1), .CYCLES(kWeighed)) u_into (
      .clk, .enable(advance), .x({odd, kBlock'(word >> 1)}), .y(into15)
  );
  for (genvar l = 0; l < 16; l++) assign w15_packed[24*l+:24] = w15[32*l+:24];
  for (genvar h = 0; h < 2; h++) begin : g_halves
    (* ram_style = "block" *) logic [383:0] rows[2<<kBlock];
    always_ff @(posedge clk) if (advance) begin
      if (at15.takes && at15.keeps && at15.half == 1'(h)) rows[into15] <= w15_packed;
      read16[384*h+:384] <= rows[{!from15[kBlock], from15[kBlock-1:0]}];
    end
  end
  logic [255:0] bytes18;
  always_ff @(posedge clk) if (advance) begin
    read17 <= read16;
    for (int i = 0; i < 32; i++) begin
      case (at17.slice)
        2'd0: bytes18[8*i+:8] <= read17[24*i+:8];
        2'd1: bytes18[8*i+:8] <= read17[24*i+8+:8];
        default: bytes18[8*i+:8] <= read17[24*i+16+:8];
      endcase
    end
    at18 <= at17;
  end
  assign weights = {256'd0, bytes18};
  delay #(.BITS(512), .CYCLES(kDepth - kWeighed)) u_recent (.clk, .enable(advance), .x(w15), .y(recent));

  // to cycle 15: the sum of the row's powers, 16 with the sink's, 18 out
  logic [31:0] sum15, total16, total17, total18;
  logic [4:0] exponent18;
  sum_tree #(.COUNT(16), .BITS(32)) u_sum (.clk, .enable(advance), .x(sums11), .y(sum15));
  delay #(.BITS(5), .CYCLES(14)) u_exponent (.clk, .enable(advance), .x(top_exponent4), .y(exponent18));
  always_ff @(posedge clk) if (advance) begin
    total16 <= sum15 + 32'(sink15);
    {total18, total17} <= {total17, total16};
  end
  assign totals = {416'd0, 27'd0, exponent18, 32'd0, total18};

  assign weights_out = at18.gives;
  assign recent_out = at18.takes && !at18.keeps;
  assign totals_out = at18.takes && at18.last;
  assign advance = (!weights_out || weights_ready) && (!recent_out || recent_ready) && (!totals_out || totals_ready);
  assign weights_valid = weights_out && advance;
  assign recent_valid = recent_out && advance;
  assign totals_valid = totals_out && advance;
endmodule
