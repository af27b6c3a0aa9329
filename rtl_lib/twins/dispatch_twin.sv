// `stb::dispatch` of four sources to the collector and three units of UNIT_LANES lanes each.
//
// Words go through a memory of two vectors: one comes in while the one before goes out with its greatest exponent,
// a raw op's word goes out behind its place. How many tiles every channel has follows from the descriptor meanwhile,
// and how many channels have one more. A descriptor goes on once the words of the op before it are on the way.
module dispatch_twin #(parameter int GROUPS = 64, parameter int UNIT_LANES = 9) (
    input logic clk,
    input logic reset,
    input logic desc_valid,
    output logic desc_ready,
    input logic [511:0] desc,
    input logic s0_valid,
    output logic s0_ready,
    input logic [511:0] s0,
    input logic s1_valid,
    output logic s1_ready,
    input logic [511:0] s1,
    input logic s2_valid,
    output logic s2_ready,
    input logic [511:0] s2,
    input logic s3_valid,
    output logic s3_ready,
    input logic [511:0] s3,
    output logic collect_valid,
    input logic collect_ready,
    output logic [511:0] collect,
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
    output logic [511:0] act2
);
  localparam int kDepth = 8;
  localparam int kUnits = 3, kAll = kUnits * UNIT_LANES;
  localparam int kAddress = $clog2(GROUPS) + 1;
  localparam int kBits = 269;  // 32 bytes, m, e
  typedef enum logic [1:0] {IDLE, HAVE, RUN} phase_t;
  phase_t phase;
  logic [kUnits:0] taken, pending;
  logic [511:0] held;
  logic [kUnits-1:0] ready;
  logic [kDepth-1:0] stages;
  logic [15:0] groups, group, tokens;
  logic [1:0] source;
  logic out, slot, raw, is_unsigned, is_linear, loads, advance, step, needs, takes, gives, there, last_group, last, room, sent;
  logic [6:0] age;  // cycles since a descriptor came
  logic known;
  logic [15:0] rounds, rest, tiles, quotient;
  logic signed [37:0] by_lanes;
  logic signed [25:0] whole;
  logic takes1, first1, last1, raw_now, unsigned_now;
  logic [kAddress-1:0] in1_at, out1_at, out2_at;
  logic [kBits-1:0] in1, read3, read4, read5;
  (* ram_style = "block" *) logic [kBits-1:0] vectors[2**kAddress];
  logic [4:0] exponent, larger, greatest, exponent2, exponent3, exponent4, exponent7, drop5;
  logic [7:0] mantissa6, mantissa7;
  logic [3:0] shift6, shift7;
  logic signed [13:0] sum7;
  logic [255:0] values7;
  logic [287:0] y;
  assign ready = {act2_ready, act1_ready, act0_ready};
  assign room = &ready;
  assign advance = !stages[kDepth-1] || room;
  assign {act2_valid, act1_valid, act0_valid} = {3{stages[kDepth-1] && room}};
  assign {collect_valid, desc2_valid, desc1_valid, desc0_valid} = pending;
  assign {act0, act1, act2} = {3{224'd0, y}};
  assign collect = {rest, rounds, held[479:416], 32'(kAll), held[383:0]};
  assign desc0 = {collect[511:384], 32'd0, held[351:0]};
  assign desc1 = {collect[511:384], 32'(UNIT_LANES), held[351:0]};
  assign desc2 = {collect[511:384], 32'(2 * UNIT_LANES), held[351:0]};
  assign taken = {collect_ready, desc2_ready, desc1_ready, desc0_ready};
  assign desc_ready = phase == IDLE && (pending & ~taken) == '0;
  assign known = age[6];
  assign quotient = 16'(by_lanes[37:24]);
  product #(.A(21), .B(17)) u_rounds (
      .clk, .enable(1'b1), .a(21'(((1 << 24) + kAll - 1) / kAll)), .b({1'b0, desc[128+:16]}), .y(by_lanes)
  );
  product #(.A(17), .B(9)) u_whole (.clk, .enable(1'b1), .a({1'b0, quotient}), .b(9'(kAll)), .y(whole));
  assign is_linear = held[31:0] == 32'd1;
  assign loads = held[192+:32] != '0;
  assign needs = tokens != '0;
  assign takes = phase == RUN && advance && needs;
  assign {s3_ready, s2_ready, s1_ready, s0_ready} = {source == 2'd3, source == 2'd2, source == 2'd1, source == 2'd0} & {4{takes}};
  assign there = source[1] ? (source[0] ? s3_valid : s2_valid) : (source[0] ? s1_valid : s0_valid);
  assign step = phase == RUN && advance && (!needs || there);
  assign gives = step && (out || raw);
  assign last_group = group == groups;
  assign last = last_group && (raw ? tokens == 16'd1 : !needs);
  assign larger = first1 || in1[268:264] > exponent ? in1[268:264] : exponent;
  assign sent = known && pending == '0 && stages[kDepth-2:0] == '0 && advance;
  always_ff @(posedge clk) begin
    if (reset) begin
      phase <= IDLE;
      {pending, stages} <= '0;
    end else begin
      case (phase)
        IDLE: if (desc_valid && desc_ready) phase <= HAVE;
        HAVE: if (sent) phase <= is_linear && (loads || raw) ? RUN : IDLE;
        default: if (step && last) phase <= IDLE;
      endcase
      if (phase == HAVE && sent) pending <= '1;
      else pending <= pending & ~taken;
      if (advance) stages <= {stages[kDepth-2:0], gives};
    end
    age <= desc_ready ? 7'(desc_valid) : {age[5:0], 1'b0} | {age[6], 6'd0};
    if (age[2]) rounds <= quotient;
    if (age[5]) rest <= tiles - whole[15:0];
    if (desc_ready) begin
      tiles <= desc[128+:16];
      held <= desc;
      groups <= desc[32+:16];
      source <= desc[224+:2];
      tokens <= desc[320+:16];
      raw <= desc[448+:32] != '0;
      is_unsigned <= desc[448+:32] == 32'd2;
      group <= 16'd1;
      {out, slot} <= '0;
    end else if (step) begin
      group <= last_group ? 16'd1 : group + 1'b1;
      if (last_group) {out, slot, tokens} <= {1'b1, !slot, tokens - 1'b1};
    end
    if (phase == HAVE && sent) {raw_now, unsigned_now} <= {raw, is_unsigned};
    if (advance) begin
      // cycle 1: the word and its place; 2: it is in the memory; 3, 4: it comes out
      in1 <= source[1] ? (source[0] ? s3[kBits-1:0] : s2[kBits-1:0]) : (source[0] ? s1[kBits-1:0] : s0[kBits-1:0]);
      takes1 <= step && needs;
      {first1, last1} <= {group == 16'd1, last_group};
      in1_at <= {slot, (kAddress - 1)'(group)};
      out1_at <= {slot ^ !raw, (kAddress - 1)'(group)};
      out2_at <= out1_at;
      if (takes1) vectors[in1_at] <= in1;
      if (takes1) exponent <= larger;
      if (takes1 && last1) greatest <= larger;
      {exponent4, exponent3, exponent2} <= {exponent3, raw_now ? 5'd0 : exponent2, greatest};
      {read5, read4, read3} <= {read4, read3, vectors[out2_at]};
      // cycles 5 to 8: the scale beside the sum of the values, and all of it
      drop5 <= exponent4 - read4[268:264];
      shift6 <= raw_now || drop5 > 5'd12 ? 4'd0 : 4'(5'd12 - drop5);
      mantissa6 <= raw_now ? 8'd1 : drop5 <= 5'd12 ? read5[263:256] : read5[263:256] >> 4'(drop5 - 5'd12);
      {mantissa7, shift7} <= {mantissa6, shift6};
      y <= {sum7, 1'b0, exponent7, shift7, mantissa7, values7};
    end
  end
  prepared_sum u_sum (.clk, .enable(advance), .is_unsigned(unsigned_now), .x(read4[255:0]), .y(sum7));
  delay #(.BITS(256), .CYCLES(2)) u_values (.clk, .enable(advance), .x(read5[255:0]), .y(values7));
  delay #(.BITS(5), .CYCLES(3)) u_exponent (.clk, .enable(advance), .x(exponent4), .y(exponent7));
endmodule
