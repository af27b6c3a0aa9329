// `stb::dispatch` of SOURCES sources to the collector and three units of UNIT_LANES lanes each, CHANNELS in all: of
// fewer units the streams of the others are ready and not connected.
//
// Words go through a memory of KMAX / 32 words: a vector comes in and goes out with its greatest exponent, a raw
// op's word goes out behind its place. How many tiles every channel has follows from the descriptor meanwhile, and
// how many channels have one more. A descriptor goes on once the words of the op before it are on the way.
module dispatch_twin #(
    parameter int SOURCES = 4,
    parameter int GROUPS = 64,
    parameter int UNIT_LANES = 9,
    parameter int CHANNELS = 3 * UNIT_LANES
) (
    input logic clk,
    input logic reset,
    input logic desc_valid,
    output logic desc_ready,
    input logic [511:0] desc,
    input logic [SOURCES-1:0] s_valid,
    output logic [SOURCES-1:0] s_ready,
    input logic [512*SOURCES-1:0] s,
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
  localparam int kFactor = ((1 << 24) + CHANNELS - 1) / CHANNELS, kFactorBits = $clog2(kFactor + 1) + 1;
  localparam int kUnits = 3, kSource = SOURCES > 1 ? $clog2(SOURCES) : 1;
  localparam int kAddress = $clog2(GROUPS);
  localparam int kBits = 269;  // 32 bytes, m, e
  typedef enum logic [1:0] {IDLE, HAVE, RUN} phase_t;
  phase_t phase;
  logic [kUnits:0] taken, pending;
  logic [511:0] held;
  logic [kUnits-1:0] ready;
  logic [kDepth-1:0] stages;
  logic [15:0] groups, group, tokens;
  logic [kSource-1:0] source;
  logic [SOURCES-1:0] chosen;
  logic out, raw, is_unsigned, is_linear, loads, advance, step, takes, gives, there, last_group, last, room, sent;
  logic [6:0] age;  // cycles since a descriptor came
  logic known;
  logic [15:0] rounds, rest, tiles, quotient;
  logic signed [kFactorBits+16:0] by_lanes;
  logic signed [25:0] whole;
  logic takes1, first1, raw_now, unsigned_now;
  logic [kAddress-1:0] address1, address2;
  logic [kBits-1:0] of_source, in1, read3, read4, read5;
  (* ram_style = "block" *) logic [kBits-1:0] vector[GROUPS];
  logic [4:0] exponent, exponent3, exponent4, exponent7, drop5;
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
  assign collect = {rest, rounds, held[479:416], 32'(CHANNELS), held[383:0]};
  assign desc0 = {collect[511:384], 32'd0, held[351:0]};
  assign desc1 = {collect[511:384], 32'(UNIT_LANES), held[351:0]};
  assign desc2 = {collect[511:384], 32'(2 * UNIT_LANES), held[351:0]};
  assign taken = {collect_ready, desc2_ready, desc1_ready, desc0_ready};
  assign desc_ready = phase == IDLE && (pending & ~taken) == '0;
  assign known = age[6];
  assign quotient = 16'(by_lanes[kFactorBits+16:24]);
  product #(.A(kFactorBits), .B(17)) u_rounds (
      .clk, .enable(1'b1), .a(kFactorBits'(kFactor)), .b({1'b0, desc[128+:16]}), .y(by_lanes)
  );
  product #(.A(17), .B(9)) u_whole (.clk, .enable(1'b1), .a({1'b0, quotient}), .b(9'(CHANNELS)), .y(whole));
  assign is_linear = held[31:0] == 32'd1;
  assign loads = held[192+:32] != '0;
  assign takes = phase == RUN && advance && !out;
  for (genvar i = 0; i < SOURCES; i++) assign chosen[i] = source == kSource'(i);
  assign s_ready = chosen & {SOURCES{takes}};
  assign there = |(chosen & s_valid);
  always_comb begin
    of_source = '0;
    for (int i = 0; i < SOURCES; i++) of_source |= s[512*i+:kBits] & {kBits{chosen[i]}};
  end
  assign step = phase == RUN && advance && (out || there);
  assign gives = step && (out || raw);
  assign last_group = group == groups;
  assign last = last_group && tokens == 16'd1 && (out || raw);
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
      source <= desc[224+:kSource];
      tokens <= desc[320+:16];
      raw <= desc[448+:32] != '0;
      is_unsigned <= desc[448+:32] == 32'd2;
      group <= 16'd1;
      out <= 1'b0;
    end else if (step) begin
      group <= last_group ? 16'd1 : group + 1'b1;
      if (last_group && !raw) out <= !out;
      if (last_group && (out || raw)) tokens <= tokens - 1'b1;
    end
    if (phase == HAVE && sent) {raw_now, unsigned_now} <= {raw, is_unsigned};
    if (advance) begin
      // cycle 1: the word and its place; 2: it is in the memory; 3, 4: it comes out
      in1 <= of_source;
      takes1 <= step && !out;
      first1 <= group == 16'd1;
      address1 <= kAddress'(group);
      address2 <= address1;
      if (takes1) vector[address1] <= in1;
      if (takes1) exponent <= first1 || in1[268:264] > exponent ? in1[268:264] : exponent;
      {exponent4, exponent3} <= {exponent3, raw_now ? 5'd0 : exponent};
      {read5, read4, read3} <= {read4, read3, vector[address2]};
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
