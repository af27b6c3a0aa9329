// `stb::mac_lane`: a lane of the matmul engine, with weight groups of at least 16 / AT_ONCE words.
//
// A step of stb/lane_step.hpp is a cycle; what it does follows at fixed distances, which the numbers at the names
// count: the word of weights is there in cycle 1 (w1), its activations in 3, the sums of its columns in 14. When a
// quad has ended, s meets four rows a cycle from 15 on; D and M meet an ended weight group from 20 on; the rows of
// a result are read in 26 and written in 34.
module lane_twin #(
    parameter int LANE = 0,
    parameter int TOKEN_LANES = 3,
    parameter int AT_ONCE = 1,
    parameter int FABRIC = 0,
    parameter int PASSES = 4,
    parameter int ACTS = 512
) (
    input logic clk,
    input logic reset,
    input logic desc_valid,
    output logic desc_ready,
    input logic [511:0] desc,
    input logic act_valid,
    output logic act_ready,
    input logic [511:0] act,
    input logic weights_valid,
    output logic weights_ready,
    input logic [511:0] weights,
    output logic y_valid,
    input logic y_ready,
    output logic [511:0] y
);
  localparam int kDepth = 34;
  localparam int kActBits = $clog2(ACTS);
  localparam int kRowBits = $clog2(4 * PASSES);
  localparam int kSlots = AT_ONCE == 1 ? 4 : 8;
  localparam int kSlotBits = $clog2(kSlots);
  localparam int kWordBits = kSlotBits + 10, kQuadBits = kSlotBits + 10;
  typedef enum logic [2:0] {IDLE, PREPARE, CHECK, LOAD, WAIT, RUN, DRAIN} phase_t;
  typedef struct packed {
    logic [kSlotBits-1:0] slot;
    logic [3:0] pass;
    logic group_first, quad_first, second_plane, ends_group, ends_quad, starts_quad;
  } word_t;
  typedef struct packed {
    logic valid, first, last, group_first;
    logic [1:0] quarter;
    logic [3:0] pass;
    logic [kSlotBits-1:0] slot;
  } quad_t;
  phase_t phase;
  logic [5:0] draining;
  logic enable, step, starts, op_ready, load, load_last, is_linear, raw, is_unsigned;
  logic [15:0] groups, tiles, tokens, group;
  logic [2:0] weight_group;
  logic two_planes, header, word, result, plane, ends_group, last;
  logic [3:0] passes, pass;
  logic [5:0] back, exponent;
  logic signed [8:0] shift;
  logic [1:0] quad, part, token_lane, load_lane;
  logic [4:0] index;
  logic [kActBits-1:0] act_index, load_address;
  logic [kSlotBits-1:0] slot;

  assign enable = reset || !y_valid || y_ready;
  assign desc_ready = phase == IDLE;
  assign act_ready = phase == LOAD;
  assign is_linear = desc[31:0] == 32'd1;
  assign starts = phase == WAIT && op_ready && tiles != '0;
  assign weights_ready = phase == RUN && enable && (header || (word && pass == '0));
  assign step = phase == RUN && enable && (weights_valid || !(header || (word && pass == '0)));
  always_ff @(posedge clk) begin
    if (reset) phase <= IDLE;
    else case (phase)
      IDLE: if (desc_valid && is_linear) phase <= PREPARE;
      PREPARE: if (draining == 6'd1) phase <= !load ? WAIT : raw ? CHECK : LOAD;
      CHECK: if (op_ready) phase <= tiles != '0 ? LOAD : IDLE;
      LOAD: if (act_valid && load_last) phase <= WAIT;
      WAIT: if (op_ready) phase <= tiles == '0 ? IDLE : RUN;
      RUN: if (step && last) phase <= DRAIN;
      default: if (enable && draining == 6'(kDepth - 1)) phase <= IDLE;
    endcase
    if (phase != PREPARE && phase != DRAIN) draining <= '0;
    else if (enable) draining <= draining + 1'b1;
  end
  lane_op #(.LANE(LANE), .TOKEN_LANES(TOKEN_LANES)) u_op (
      .clk, .reset, .take(desc_valid && desc_ready && is_linear), .descriptor(desc), .ready(op_ready), .load, .raw,
      .is_unsigned, .groups,
      .weight_group, .two_planes, .tiles, .tokens, .passes, .back, .shift, .exponent
  );
  lane_load #(.TOKEN_LANES(TOKEN_LANES), .ACT_BITS(kActBits)) u_load (
      .clk, .start(phase == PREPARE), .step(act_valid && act_ready), .groups, .tokens, .passes,
      .token_lane(load_lane), .address(load_address), .last(load_last)
  );
  lane_steps #(.TOKEN_LANES(TOKEN_LANES), .FINISH(16 / AT_ONCE), .ACT_BITS(kActBits)) u_steps (
      .clk, .start(starts), .step, .groups, .weight_group, .two_planes, .raw, .tiles, .tokens, .passes, .back, .header,
      .word, .result, .group, .pass, .plane, .quad, .part, .index, .act(act_index), .token_lane, .ends_group, .last
  );

  // cycles 1 to 4: the word, of a later pass from memory; its columns, each a cycle later
  logic header1, word1, word2, word3, from_memory1;
  logic [4:0] index1;
  logic [1:0] part1, part3;
  logic [kActBits-1:0] act1;
  logic [511:0] w1, w2, w3, w4, columns4, columns;
  (* ram_style = "distributed" *) logic [511:0] later[32];
  always_ff @(posedge clk) begin
    if (reset) slot <= '0;
    else if (step && header) slot <= slot + 1'b1;
    if (enable) begin
      {header1, word1} <= {step && header, step && word};
      {word2, word3} <= {word1, word2};
      from_memory1 <= pass != '0;
      {index1, part1, act1, w1} <= {index, part, act_index, weights};
      w2 <= from_memory1 ? later[index1] : w1;
      {w4, w3} <= {w3, w2};
    end
    if (enable && word1 && !from_memory1) later[index1] <= w1;
  end
  delay #(.BITS(2), .CYCLES(2)) u_part3 (.clk, .enable, .x(part1), .y(part3));
  for (genvar c = 0; c < 8; c++) begin : g_columns
    for (genvar r = 0; r < 16; r++) assign columns4[64*c+4*r+:4] = w4[8*(4*r+c%4)+(c<4?0:4)+:4];
    delay #(.BITS(64), .CYCLES(c < 2 ? 0 : c - 1)) u_later (
        .clk, .enable, .x(columns4[64*c+:64]), .y(columns[64*c+:64])
    );
  end

  // what a word's step says, in cycles 12 and 14
  word_t now, word14;
  logic starts12;
  assign now.slot = slot - 1'b1;
  assign now.pass = pass;
  assign now.group_first = group == '0;
  assign now.quad_first = !plane && quad == '0;
  assign now.second_plane = plane;
  assign now.ends_group = step && word && ends_group && part == 2'd3;
  assign now.ends_quad = step && word && part == 2'd3;
  assign now.starts_quad = step && word && part == 2'd0;
  delay #(.BITS(kWordBits), .CYCLES(14)) u_word14 (.clk, .enable, .x(now), .y(word14));
  delay #(.BITS(1), .CYCLES(12)) u_starts12 (.clk, .enable, .x(now.starts_quad), .y(starts12));

  // the four phases of an ended quad, from cycle 15 on, and what follows them
  quad_t quad15, quad17, quad18, quad19;
  always_ff @(posedge clk) begin
    if (reset) quad15 <= '0;
    else if (enable) begin
      if (word14.ends_quad) begin
        {quad15.valid, quad15.quarter} <= 3'b100;
        {quad15.first, quad15.last} <= {word14.quad_first, word14.ends_group};
        {quad15.group_first, quad15.pass, quad15.slot} <= {word14.group_first, word14.pass, word14.slot};
      end else begin
        quad15.quarter <= quad15.quarter + 1'b1;
        if (quad15.quarter == 2'd3) quad15.valid <= 1'b0;
      end
    end
  end
  delay #(.BITS(kQuadBits), .CYCLES(2)) u_quad17 (.clk, .enable, .x(quad15), .y(quad17));
  delay #(.BITS(kQuadBits), .CYCLES(1)) u_quad18 (.clk, .enable, .x(quad17), .y(quad18));
  delay #(.BITS(kQuadBits), .CYCLES(1)) u_quad19 (.clk, .enable, .x(quad18), .y(quad19));

  // the rows of an ended group: their headers' addresses in cycle 18, the rows themselves in 20
  logic begins17, begins19, active20, group_first20, first23;
  logic [3:0] row18, row20, write23, pass20;
  logic [kSlotBits-1:0] slot18;
  logic [kRowBits-1:0] address20, address23;
  logic [25*AT_ONCE-1:0] d, m;
  assign begins17 = quad17.valid && quad17.last && quad17.quarter == '0;
  assign begins19 = quad19.valid && quad19.last && quad19.quarter == '0;
  always_ff @(posedge clk) begin
    if (reset) active20 <= 1'b0;
    else if (enable) active20 <= begins19 || (active20 && row20 != 4'(16 / AT_ONCE - 1));
    if (enable) begin
      row18 <= begins17 ? '0 : row18 + 1'b1;
      if (begins17) slot18 <= quad17.slot;
      row20 <= begins19 ? '0 : row20 + 1'b1;
      if (begins19) {pass20, group_first20} <= {quad19.pass, quad19.group_first};
    end
  end
  lane_headers #(.AT_ONCE(AT_ONCE), .SLOTS(kSlots)) u_headers (
      .clk, .reset, .enable, .write(header1), .write_slot(slot - 1'b1), .header(w1), .slot(slot18),
      .step(row18[$clog2(16/AT_ONCE)-1:0]), .exponent, .two_planes, .d, .m
  );
  logic [1:0] quarter20;
  logic [3:0] write20;
  assign quarter20 = AT_ONCE == 4 ? row20[1:0] : AT_ONCE == 2 ? row20[2:1] : row20[3:2];
  assign write20 = !active20 ? 4'd0 : AT_ONCE == 4 ? 4'hf : AT_ONCE == 2 ? (row20[0] ? 4'hc : 4'h3) : 4'd1 << row20[1:0];
  assign address20 = kRowBits'({pass20, quarter20});
  delay #(.BITS(kRowBits + 5), .CYCLES(3)) u_row23 (
      .clk, .enable, .x({group_first20, write20, address20}), .y({first23, write23, address23})
  );

  // a result's rows in cycle 26, rounded in 33, all of them in 34
  logic result26, gives33, result33;
  logic [kRowBits-1:0] result_address26;
  logic [1:0] lane26, lane3;
  logic signed [8:0] shift4, shift27;
  logic [5:0] exponents[TOKEN_LANES];
  logic [255:0] rows[TOKEN_LANES], rows27;
  logic [127:0] rounded;
  delay #(.BITS(3 + kRowBits), .CYCLES(26)) u_result26 (
      .clk, .enable, .x({step && result, token_lane, kRowBits'({pass, part})}), .y({result26, lane26, result_address26})
  );
  delay #(.BITS(2), .CYCLES(3)) u_lane3 (.clk, .enable, .x(token_lane), .y(lane3));
  delay #(.BITS(9), .CYCLES(23)) u_shift27 (.clk, .enable, .x(shift4), .y(shift27));
  delay #(.BITS(2), .CYCLES(33)) u_gives33 (
      .clk, .enable, .x({step && result && part == 2'd3, step && result}), .y({gives33, result33})
  );
  always_ff @(posedge clk) begin
    if (enable) begin
      shift4 <= shift - $signed({3'd0, exponents[lane3]});
      rows27 <= rows[lane26];
      if (result33) y <= {rounded, y[511:128]};
    end
    if (reset) y_valid <= 1'b0;
    else if (enable) y_valid <= gives33;
  end
  for (genvar i = 0; i < 4; i++) begin : g_results
    lane_result u_result (
        .clk, .enable, .x(rows27[64*i+:64]), .shift(shift27), .y(rounded[32*i+:32])
    );
  end
  for (genvar t = 0; t < TOKEN_LANES; t++) begin : g_tokens
    lane_token #(
        .AT_ONCE(AT_ONCE), .PASSES(PASSES), .ACTS(ACTS), .IN_LUTS(t >= TOKEN_LANES - FABRIC ? 1 : 0)
    ) u_token (
        .clk, .enable, .store(act_valid && act_ready && load_lane == 2'(t)), .store_address(load_address),
        .activation(act[287:0]), .address(act1), .word(word3), .part(part3), .weights(columns), .columns(columns4), .first_word(starts12),
        .quad(word14.ends_quad), .quad_first(word14.quad_first), .quad_second_plane(word14.second_plane),
        .is_unsigned, .raw, .phase(quad15.quarter), .x_phase(quad17.quarter), .x_first(quad17.first),
        .sum_valid(quad19.valid),
        .sum_phase(quad19.quarter), .sum_last(quad19.last), .sum_group_first(quad19.group_first),
        .sum_pass(quad19.pass), .group_begins(begins19), .row(row20), .two_planes,
        .d(raw ? {AT_ONCE{25'd1}} : d), .m, .rows_address(address23), .rows_first(first23), .rows_write(write23),
        .read_result(result26),
        .result_address(result_address26), .exponent(exponents[t]), .results(rows[t])
    );
  end
endmodule
