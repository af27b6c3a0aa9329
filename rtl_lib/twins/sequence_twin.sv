// `stb::sequence`: the descriptors FIRST to END - 1 of a launch from memory, 16 at a time, as the launch needs them.
//
// A command has tokens, head and position. An op takes eight cycles: its word is read in 0, what it sees of the cache
// is known in 3, the rows that it is sent for in 4, the channel of its first tile in 7, and its word goes out in 8. One
// that has more rows than BATCH comes again for the others; values say so to the collector.
module sequence_twin #(
    parameter int BATCH = 12,
    parameter int CHANNELS = 27,
    parameter int FIRST = 0,
    parameter int END = 40
) (
    input logic clk,
    input logic reset,
    input logic cmd_valid,
    output logic cmd_ready,
    input logic [63:0] cmd,
    output logic arvalid,
    input logic arready,
    output logic [63:0] araddr,
    output logic [7:0] arlen,
    input logic rvalid,
    output logic rready,
    input logic [511:0] rdata,
    output logic desc_valid,
    input logic desc_ready,
    output logic [511:0] desc
);
  localparam int kFactor = ((1 << 24) + CHANNELS - 1) / CHANNELS, kFactorBits = $clog2(kFactor + 1) + 1;
  localparam int kRows = 24;
  typedef enum logic [2:0] {IDLE, LOOK, ASK, FILL, OPS, DRAIN} phase_t;
  phase_t phase;
  logic [15:0] tokens, at, left, now, window, own_rows;
  logic [14:0] pos;
  logic head, asked, there, take, advance, filled, ends, again, sends;
  logic [4:0] count, index;
  logic [2:0] step;
  (* ram_style = "distributed" *) logic [511:0] words[16];
  logic [511:0] fetched, word, next;
  logic is_linear, is_raw, is_value, of_head;
  logic signed [16:0] behind, more, from;
  logic [9:0] first, blocks;
  logic signed [33:0] all_rows;
  logic signed [kFactorBits+16:0] by_channels;
  logic [6:0] channel;
  logic [kRows-1:0] rows, rows_left, rows_after;
  assign cmd_ready = phase == IDLE;
  assign left = 16'(END) - at;
  assign take = phase == FILL && there;
  assign filled = take && index + 1'b1 == count;
  assign advance = phase == OPS && (step != 3'd7 || !desc_valid || desc_ready);
  assign ends = advance && step == 3'd7 && rows_after == '0 && index + 1'b1 == count;
  assign is_linear = word[31:0] == 32'd1;
  assign is_raw = is_linear && word[449] != word[448];
  assign is_value = word[449];
  assign of_head = word[320];
  assign window = word[480+:16] == '0 ? 16'h8000 : word[480+:16];
  assign again = rows_left != '0;
  read_twin u_read (
      .clk, .reset, .cmd_valid(phase == ASK), .cmd_ready(asked), .cmd({16'd0, at, 27'd0, count}), .arvalid, .arready,
      .araddr, .arlen, .rvalid, .rready, .rdata, .y_valid(there), .y_ready(phase == FILL), .y(fetched)
  );
  product #(.A(17), .B(17)) u_rows (
      .clk, .enable(advance), .a({1'b0, tokens}), .b({1'b0, word[288+:16]}), .y(all_rows)
  );
  product #(.A(kFactorBits), .B(17)) u_channels (
      .clk, .enable(advance), .a(kFactorBits'(kFactor)), .b(from), .y(by_channels)
  );
  assign channel = from[6:0] - 7'(by_channels[kFactorBits+16:24]) * 7'(CHANNELS);
  always_comb begin
    next = word;
    next[320+:32] = 32'(now);
    next[352+:32] = 32'(is_value && rows_after != '0);
    if (is_raw) begin
      next[288+:32] = '0;
      next[480+:32] = '0;
    end
    if (is_raw && is_value) next[32+:32] = 32'(blocks);
    if (is_raw && !is_value) begin
      next[128+:32] = 32'({blocks, 1'b0});
      next[160+:32] = 32'(channel);
    end
  end
  always_ff @(posedge clk) begin
    if (reset) begin
      phase <= IDLE;
      desc_valid <= 1'b0;
    end else begin
      case (phase)
        IDLE: if (cmd_valid) phase <= LOOK;
        LOOK: phase <= ASK;
        ASK: if (asked) phase <= FILL;
        FILL: if (filled) phase <= OPS;
        OPS: if (ends) phase <= DRAIN;
        default: if (!desc_valid || desc_ready) phase <= at == 16'(END) ? IDLE : LOOK;
      endcase
      desc_valid <= (desc_valid && !desc_ready) || (advance && step == 3'd7 && sends);
    end
    if (phase == IDLE) begin
      {pos, head, tokens} <= {cmd[46:32], cmd[16], cmd[15:0]};
      at <= 16'(FIRST);
    end else if (filled) at <= at + 16'(count);
    if (phase == LOOK) begin
      count <= left < 16'd16 ? 5'(left) : 5'd16;
      {step, rows_left, index} <= '0;
    end
    if (take) begin
      words[index[3:0]] <= fetched;
      index <= filled ? '0 : index + 1'b1;
    end
    if (advance) begin
      step <= step + 1'b1;
      if (step == 3'd0) word <= words[index[3:0]];
      behind <= 17'(pos) + 17'sd1 - 17'(window);
      more <= 17'(tokens) - 17'(word[352+:16]);
      first <= behind > 0 ? behind[14:5] : '0;
      own_rows <= !is_linear ? 16'd1 : of_head ? 16'(head) : more < 0 ? '0 : more > BATCH ? 16'(BATCH) : more[15:0];
      blocks <= pos[14:5] - first;
      from <= 17'(word[160+:16]) + 17'({first, 1'b0});
      rows <= again ? rows_left : !is_raw ? kRows'(own_rows) : blocks == '0 ? '0 : all_rows[kRows-1:0];
      now <= rows > BATCH ? 16'(BATCH) : rows[15:0];
      sends <= rows != '0;
      rows_after <= rows - kRows'(now);
      if (step == 3'd7) begin
        rows_left <= rows_after;
        if (rows_after == '0) index <= index + 1'b1;
        desc <= next;
      end
    end
  end
endmodule
