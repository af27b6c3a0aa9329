// `stb::attention_values` over the whole context: of each head its recent values, then row by row their products
// with the weights, four positions a cycle up to the row's own, and the engine's sums for each byte of the weights. The
// last of these give the results, which follow the products where there are no full blocks.
//
// One token's results pass straight through; those of several lie in a memory until all heads are there.
module values_twin #(
    parameter int RUNS = 2,
    parameter int KV_HEADS = 3,
    parameter int SHARED = 3,
    parameter int HEAD_DIM = 64,
    parameter int CHUNK = 8
) (
    input logic clk,
    input logic reset,
    input logic cmd_valid,
    output logic cmd_ready,
    input logic [63:0] cmd,
    input logic sums_valid,
    output logic sums_ready,
    input logic [511:0] sums,
    input logic recent_valid,
    output logic recent_ready,
    input logic [511:0] recent,
    input logic totals_valid,
    output logic totals_ready,
    input logic [511:0] totals,
    input logic values_valid,
    output logic values_ready,
    input logic [511:0] values,
    output logic y_valid,
    input logic y_ready,
    output logic [511:0] y
);
  localparam int kDepth = 34, kSend = 4, kBanks = 4, kAdd = 9;
  localparam int kWords = (HEAD_DIM + 63) / 64, kInWords = HEAD_DIM / 16;
  localparam int kRecents = (31 + CHUNK + kBanks - 1) / kBanks * kWords, kRecent = $clog2(kRecents);
  localparam int kHeadWords = SHARED * kInWords, kTokenWords = KV_HEADS * kHeadWords;
  localparam int kResults = CHUNK * kTokenWords, kResult = $clog2(kResults);
  localparam int kWord = $clog2(kInWords + 1);
  typedef enum logic [2:0] {IDLE, VALUES, RECENT, SUMS, RESULT, SEND} phase_t;
  phase_t phase;
  logic [15:0] tokens, rows, row, runs;
  logic [7:0] head;
  logic [5:0] last_recent, gap;
  logic [6:0] j, own, next_j;
  logic [6:0] first_own;
  logic [7:0] shared;
  logic [kWord-1:0] word;
  logic [1:0] slice;
  logic [kRecent-1:0] address;
  logic [$clog2(kHeadWords)-1:0] at;
  logic [kResult-1:0] to, first_to, last_send;
  logic [kDepth:1] results;
  logic [kSend:1] sends;
  logic blocks, several, advance, moving, step, there, new_weights, last_j, last_word, last_row, ends, head_ends, all_ends, run_ends;
  logic gives, last_shared, skips;
  logic goes_out;
  assign goes_out = (results[kDepth] && !several) || sends[kSend];
  assign y_valid = goes_out;
  assign advance = !goes_out || y_ready;
  assign cmd_ready = phase == IDLE && gap == '0;
  assign moving = phase != IDLE && gap == '0 && advance;
  assign new_weights = phase == RECENT && word == '0 && j[3:0] == '0;
  assign skips = j[6:2] >= own[6:2];
  assign next_j = phase == VALUES ? j + 7'd1 : skips ? {j[6:4] + 3'd1, 4'd0} : {j[6:2] + 5'd1, 2'd0};
  assign last_j = phase == VALUES ? j == 7'(last_recent) : skips && j[6:4] == {1'b0, last_recent[5:4]};
  assign last_word = word == (phase == RECENT || phase == VALUES ? kWord'(kWords - 1) : kWord'(kInWords - 1));
  assign ends = phase == RECENT && last_j && last_word;
  assign last_row = row == rows;
  assign last_shared = shared == 8'(SHARED - 1);
  assign gives = phase == RESULT || (phase == SUMS && slice == 2'd2);
  assign head_ends = gives && last_word && last_row;
  assign all_ends = head == 8'(KV_HEADS - 1);
  assign run_ends = head_ends && all_ends;
  always_comb begin
    case (phase)
      VALUES: there = values_valid;
      RECENT: there = (recent_valid || !new_weights) && (totals_valid || !ends);
      SUMS: there = sums_valid;
      default: there = 1'b1;
    endcase
  end
  assign step = moving && there;
  assign values_ready = moving && phase == VALUES;
  assign recent_ready = step && new_weights;
  assign totals_ready = step && ends;
  assign sums_ready = moving && phase == SUMS;
  always_ff @(posedge clk) begin
    if (reset) begin
      phase <= IDLE;
      {results, sends, gap} <= '0;
    end else begin
      case (phase)
        IDLE: if (cmd_valid && cmd_ready) phase <= VALUES;
        VALUES: if (step && last_j && last_word) phase <= RECENT;
        RECENT: if (step && ends) phase <= blocks ? SUMS : RESULT;
        SUMS, RESULT:
          if (step && last_word && gives) begin
            phase <= !last_row ? RECENT : !all_ends ? VALUES : several ? SEND : runs == 16'd1 ? IDLE : VALUES;
          end
        default: if (step && to == last_send) phase <= runs == 16'd1 ? IDLE : VALUES;
      endcase
      if (step && run_ends) gap <= 6'(kDepth);
      else if (step && phase == SEND && to == last_send) gap <= 6'(kSend);
      else if (gap != '0 && advance) gap <= gap - 1'b1;
      if (advance) begin
        results <= {results[kDepth-1:1], step && gives};
        sends <= {sends[kSend-1:1], step && phase == SEND};
      end
    end
    if (cmd_valid && cmd_ready) begin
      tokens <= cmd[15:0];
      several <= cmd[15:0] != 16'd1;
      blocks <= cmd[63:37] != '0;
      last_recent <= 6'(cmd[36:32]) + 6'(cmd[5:0]) - 1'b1;
      {first_own, own} <= {2{7'(cmd[36:32])}};
      rows <= cmd[15:0] * 16'(SHARED);
      last_send <= kResult'(cmd[15:0] * 16'(kTokenWords) - 1'b1);
      runs <= 16'(RUNS);
      row <= 16'd1;
      {j, word, slice, head, shared, address, at, to, first_to} <= '0;
    end else if (step) begin
      word <= last_word ? '0 : word + 1'b1;
      if (phase == VALUES || phase == RECENT) begin
        if (last_word) address <= last_j ? '0 : kRecent'(next_j[6:2]) * kRecent'(kWords);
        else address <= address + 1'b1;
        if (last_word) j <= last_j ? '0 : next_j;
      end
      if (phase == SUMS && last_word) slice <= slice == 2'd2 ? '0 : slice + 1'b1;
      if (gives) begin
        at <= at == ($clog2(kHeadWords))'(kHeadWords - 1) ? '0 : at + 1'b1;
        to <= at == ($clog2(kHeadWords))'(kHeadWords - 1) ? to + kResult'(kTokenWords - kHeadWords + 1) : to + 1'b1;
        if (last_word) begin
          row <= last_row ? 16'd1 : row + 1'b1;
          shared <= last_shared ? '0 : shared + 1'b1;
          own <= last_row ? first_own : last_shared ? own + 1'b1 : own;
        end
        if (head_ends) begin
          head <= all_ends ? '0 : head + 1'b1;
          first_to <= all_ends ? '0 : first_to + kResult'(kHeadWords);
          to <= all_ends ? '0 : first_to + kResult'(kHeadWords);
          if (all_ends && !several) runs <= runs - 1'b1;
        end
      end
      if (phase == SEND) begin
        word <= '0;
        to <= to == last_send ? '0 : to + 1'b1;
        if (to == last_send) runs <= runs - 1'b1;
      end
    end
  end

  // cycles 1 to 3: the weights, the values; the engine's sums until cycle 9
  logic [kRecent-1:0] address1;
  logic [511:0] held;
  logic [1:0] quarter1, bank1;
  logic [95:0] weights2, weights3, weights_later;
  logic [511:0] value3[kBanks], values_later[kBanks];
  logic stored1;
  logic [511:0] sums1, sums8;
  logic recent1, is_sum1, recent9, is_sum9, keep1, keep9;
  logic [1:0] slice1, slice8;
  logic [kWord-1:0] word1, word9, word10;
  logic [767:0] x9;
  for (genvar b = 0; b < kBanks; b++) begin : g_banks
    (* ram_style = "distributed" *) logic [511:0] recent_values[kRecents];
    logic [511:0] value2;
    always_ff @(posedge clk) if (advance) begin
      if (stored1 && bank1 == 2'(b)) recent_values[address1] <= sums1;
      {value3[b], value2} <= {value2, recent_values[address1]};
    end
    delay #(.BITS(512), .CYCLES(b < 2 ? 0 : b - 1)) u_value (
        .clk, .enable(advance), .x(value3[b]), .y(values_later[b])
    );
    delay #(.BITS(24), .CYCLES(b < 2 ? 0 : b - 1)) u_weight (
        .clk, .enable(advance), .x(weights3[24*b+:24]), .y(weights_later[24*b+:24])
    );
  end
  always_ff @(posedge clk) if (advance) begin
    {address1, bank1, quarter1, word1, slice1} <= {address, j[1:0], j[3:2], word, slice};
    stored1 <= step && phase == VALUES;
    if (recent_ready) held <= recent;
    sums1 <= phase == VALUES ? values : sums;
    for (int b = 0; b < kBanks; b++) begin
      case (quarter1)
        2'd0: weights2[24*b+:24] <= held[32*b+:24];
        2'd1: weights2[24*b+:24] <= held[32*b+128+:24];
        2'd2: weights2[24*b+:24] <= held[32*b+256+:24];
        default: weights2[24*b+:24] <= held[32*b+384+:24];
      endcase
    end
    weights3 <= weights2;
    {recent1, is_sum1, keep1} <= {step && phase == RECENT, step && phase == SUMS, j != '0};
    for (int l = 0; l < 16; l++) begin
      case (slice8)
        2'd0: x9[48*l+:48] <= 48'($signed(sums8[32*l+:32]));
        2'd1: x9[48*l+:48] <= {{8{sums8[32*l+31]}}, sums8[32*l+:32], 8'd0};
        default: x9[48*l+:48] <= {sums8[32*l+:32], 16'd0};
      endcase
    end
  end
  delay #(.BITS(512), .CYCLES(7)) u_sums (.clk, .enable(advance), .x(sums1), .y(sums8));
  delay #(.BITS(2), .CYCLES(7)) u_slice (.clk, .enable(advance), .x(slice1), .y(slice8));
  delay #(.BITS(3 + kWord), .CYCLES(kAdd - 1)) u_control (
      .clk, .enable(advance), .x({recent1, is_sum1, keep1, word1}), .y({recent9, is_sum9, keep9, word9})
  );

  // cycle 10: the sums; 11: those of a result
  logic [48*64-1:0] all[kWords];
  logic [767:0] chosen11, chosen24;
  for (genvar w = 0; w < kWords; w++) begin : g_words
    for (genvar l = 0; l < 64; l++) begin : g_sums
      logic [31:0] four;
      for (genvar b = 0; b < kBanks; b++) assign four[8*b+:8] = values_later[b][8*l+:8];
      value_sum u_sum (
          .clk, .enable(advance), .weights(weights_later), .values(four),
          .add((recent9 && word9 == kWord'(w)) || (is_sum9 && word9 == kWord'(4 * w + l / 16))),
          .is_product(recent9), .keep(keep9 || is_sum9), .x(x9[48*(l%16)+:48]), .y(all[w][48*l+:48])
      );
    end
  end
  always_ff @(posedge clk) if (advance) begin
    word10 <= word9;
    for (int i = 0; i < kInWords; i++) if (word10 == kWord'(i)) chosen11 <= all[i/4][768*(i%4)+:768];
  end
  delay #(.BITS(768), .CYCLES(13)) u_chosen (.clk, .enable(advance), .x(chosen11), .y(chosen24));

  // to cycle 23: the reciprocal of the total, which holds from 24 on
  logic [31:0] total1;
  logic [5:0] exponent1, shift23, shift24, shift29;
  logic [17:0] factor23, factor24;
  logic ends1, ends23;
  always_ff @(posedge clk) if (advance) begin
    {total1, exponent1, ends1} <= {totals[31:0], totals[69:64], totals_ready};
    if (ends23) {factor24, shift24} <= {factor23, shift23};
  end
  reciprocal_steps u_reciprocal (
      .clk, .enable(advance), .total(total1), .exponent(exponent1), .factor(factor23), .shift(shift23)
  );
  delay #(.BITS(1), .CYCLES(22)) u_ends (.clk, .enable(advance), .x(ends1), .y(ends23));
  delay #(.BITS(6), .CYCLES(5)) u_shift (.clk, .enable(advance), .x(shift24), .y(shift29));

  // cycle 34: the results, to a memory if there are several tokens
  logic [511:0] result, stored3, buffer_read;
  logic [kResult-1:0] to34, send1;
  (* ram_style = "ultra" *) logic [511:0] buffer[kResults];
  for (genvar l = 0; l < 16; l++) begin : g_results
    value_result u_result (
        .clk, .enable(advance), .sum(chosen24[48*l+:48]), .factor(factor24), .shift(shift29),
        .y(result[32*l+:32])
    );
  end
  delay #(.BITS(kResult), .CYCLES(kDepth)) u_to (.clk, .enable(advance), .x(to), .y(to34));
  logic [511:0] sent;
  always_ff @(posedge clk) if (advance) begin
    if (results[kDepth] && several) buffer[to34] <= result;
    send1 <= to;
    {sent, stored3, buffer_read} <= {stored3, buffer_read, buffer[send1]};
  end
  assign y = several ? sent : result;
endmodule
