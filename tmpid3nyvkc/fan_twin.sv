// `stb::act_fan` to four lanes: descriptors to the merger and the lanes, activations to the lanes of an op.
//
// Those of a raw op go to the lanes that have tiles of it, which takes two cycles to find out. A word goes to all
// of its lanes in one cycle. The loop ends with its last read; a descriptor goes on once its words are on the way.
module fan_twin (
    input logic clk,
    input logic reset,
    input logic desc_valid,
    output logic desc_ready,
    input logic [511:0] desc,
    input logic act_valid,
    output logic act_ready,
    input logic [511:0] act,
    output logic merge_desc_valid,
    input logic merge_desc_ready,
    output logic [511:0] merge_desc,
    output logic desc0_valid,
    input logic desc0_ready,
    output logic [511:0] desc0,
    output logic act0_valid,
    input logic act0_ready,
    output logic [511:0] act0,
    output logic desc1_valid,
    input logic desc1_ready,
    output logic [511:0] desc1,
    output logic act1_valid,
    input logic act1_ready,
    output logic [511:0] act1,
    output logic desc2_valid,
    input logic desc2_ready,
    output logic [511:0] desc2,
    output logic act2_valid,
    input logic act2_ready,
    output logic [511:0] act2,
    output logic desc3_valid,
    input logic desc3_ready,
    output logic [511:0] desc3,
    output logic act3_valid,
    input logic act3_ready,
    output logic [511:0] act3
);
  localparam int kLanes = 4;
  typedef enum logic [2:0] {IDLE, HAVE, CHOOSE, RUN, TAIL} phase_t;
  phase_t phase;
  logic [kLanes:0] taken, pending;  // streams that the descriptor has not gone to, the merger's last
  logic [511:0] held, word;
  logic [15:0] groups, group, tokens, tiles, base, channels, first_channel;
  logic [16:0] behind[kLanes];
  logic [15:0] first[kLanes];
  logic [kLanes-1:0] ready, chosen, sends;
  logic [1:0] stages, tail;
  logic is_linear, loads, raw, advance, step, last_group, last, room, sent;
  assign ready = {act3_ready, act2_ready, act1_ready, act0_ready};
  assign room = &(ready | ~chosen);
  assign advance = !stages[1] || room;
  assign sends = {kLanes{stages[1] && room}} & chosen;
  assign {act3_valid, act2_valid, act1_valid, act0_valid} = sends;
  assign {merge_desc_valid, desc3_valid, desc2_valid, desc1_valid, desc0_valid} = pending;
  assign {act1, act2, act3} = {3{act0}};
  assign {merge_desc, desc0, desc1, desc2, desc3} = {5{held}};
  assign taken = {merge_desc_ready, desc3_ready, desc2_ready, desc1_ready, desc0_ready};
  assign desc_ready = phase == IDLE && (pending & ~taken) == '0;
  assign act_ready = phase == RUN && advance;
  assign step = act_ready && act_valid;
  assign last_group = group == groups;
  assign last = last_group && tokens == 16'd1;
  assign sent = pending == '0 && !stages[0] && (!stages[1] || room);
  assign raw = held[448+:32] != '0;
  assign is_linear = held[31:0] == 32'd1;
  assign loads = held[192+:32] != '0;
  always_ff @(posedge clk) begin
    if (reset) begin
      phase <= IDLE;
      {pending, stages} <= '0;
    end else begin
      case (phase)
        IDLE: if (desc_valid && desc_ready) phase <= HAVE;
        HAVE: if (sent) phase <= !is_linear || !(loads || raw) ? IDLE : raw ? CHOOSE : RUN;
        CHOOSE: if (tail == 2'd1) phase <= RUN;
        RUN: if (step && last) phase <= raw ? TAIL : IDLE;
        default: if (tail == 2'd1) phase <= IDLE;
      endcase
      if (phase == HAVE && sent) pending <= '1;
      else pending <= pending & ~taken;
      if (advance) stages <= {stages[0], step};
    end
    tail <= phase == CHOOSE || phase == TAIL ? tail + 1'b1 : '0;
    if (desc_ready) begin
      held <= desc;
      groups <= desc[32+:16];
      tiles <= desc[128+:16];
      base <= desc[160+:16];
      tokens <= desc[320+:16];
      first_channel <= desc[352+:16];
      channels <= desc[384+:16];
      group <= 16'd1;
    end else if (step) begin
      group <= last_group ? 16'd1 : group + 1'b1;
      if (last_group) tokens <= tokens - 1'b1;
    end
    for (int l = 0; l < kLanes; l++) begin
      behind[l] <= {1'b0, first_channel} + 17'(l) - {1'b0, base};
      first[l] <= behind[l][15:0] + (behind[l][16] ? channels : 16'd0);
      if (phase == CHOOSE || (phase == HAVE && sent)) chosen[l] <= !raw || first[l] < tiles;
    end
    if (advance) {act0, word} <= {word, act};
  end
endmodule
