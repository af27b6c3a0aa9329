// `stb::collect` of two units with LANES lanes each, or one, and DESTINATIONS destinations: tiles come in the order of
// the channels.
//
// One token's results pass straight through; those of several go tile by tile into a memory of CHUNK * MAX_TILES
// words and come out token by token. Its read takes four cycles: address, memory, register, write. Of values in parts,
// one part goes out of half of the rows while the next one comes into the other half.
module collect_twin #(
    parameter int DESTINATIONS = 2,
    parameter int LANES = 2,
    parameter int CHUNK = 8,
    parameter int MAX_TILES = 96
) (
    input logic clk,
    input logic reset,
    input logic desc_valid,
    output logic desc_ready,
    input logic [511:0] desc,
    input logic r0_valid,
    output logic r0_ready,
    input logic [511:0] r0,
    input logic r1_valid,
    output logic r1_ready,
    input logic [511:0] r1,
    output logic [DESTINATIONS-1:0] y_valid,
    input logic [DESTINATIONS-1:0] y_ready,
    output logic [512*DESTINATIONS-1:0] y
);
  localparam int kWords = CHUNK * MAX_TILES;
  localparam int kAddress = $clog2(kWords);
  localparam logic [kAddress-1:0] kHalf = kAddress'(MAX_TILES / 2);
  typedef enum logic [2:0] {IDLE, SEEK, ONE, STORE, NEXT, EXCHANGE, DRAIN, SEND} phase_t;
  phase_t phase;
  logic [15:0] tiles, tokens, channel, channels, tile, token, out_tokens, out_tile, out_token;
  logic [7:0] lane;
  logic [3:0] stages;
  logic [DESTINATIONS-1:0] destination;
  logic unit, several, enable, takes, take, send, last_tile, last_token, last_taken, last_out_tile, last_sent, store1;
  logic half, needs, again, part, turn;
  logic [kAddress-1:0] address, row, address1, out_address, out_row, out_address1, base;
  logic [511:0] x1, word, read, given;
  (* ram_style = "ultra" *) logic [511:0] buffer[kWords];
  assign desc_ready = phase == NEXT || (phase == IDLE && stages == '0 && !store1);
  assign enable = !stages[3] || |(destination & y_ready);
  assign y_valid = destination & {DESTINATIONS{stages[3]}};
  assign y = {DESTINATIONS{given}};
  assign takes = phase == ONE || phase == STORE || (phase == EXCHANGE && needs);
  assign r0_ready = takes && enable && !unit;
  assign r1_ready = takes && enable && unit;
  assign take = (r0_ready && r0_valid) || (r1_ready && r1_valid);
  assign send = enable && (phase == SEND ? !store1 : phase == EXCHANGE && (!needs || (unit ? r1_valid : r0_valid)));
  assign last_tile = tile + 1'b1 == tiles;
  assign last_token = token + 1'b1 == tokens;
  assign last_taken = take && last_tile && last_token;
  assign last_out_tile = out_tile + 1'b1 == tiles;
  assign last_sent = send && last_out_tile && out_token + 1'b1 == out_tokens;
  assign turn = phase == EXCHANGE ? last_sent : phase == STORE && last_taken;
  assign base = half ? kHalf : '0;
  always_ff @(posedge clk) begin
    if (reset) begin
      phase <= IDLE;
      stages <= '0;
      store1 <= 1'b0;
    end else begin
      case (phase)
        IDLE: if (desc_valid && desc_ready && desc[31:0] == 32'd1) phase <= SEEK;
        SEEK:
          if (lane < 8'(LANES) && (!again || stages[2:0] == '0)) begin
            phase <= again ? EXCHANGE : tiles == '0 || tokens == '0 ? IDLE : several ? STORE : ONE;
          end
        ONE: if (take && last_tile) phase <= IDLE;
        STORE: if (last_taken) phase <= part ? NEXT : SEND;
        NEXT: if (desc_valid) phase <= SEEK;
        EXCHANGE: if (last_sent) phase <= part ? NEXT : DRAIN;
        DRAIN: if (stages[2:0] == '0) phase <= SEND;
        default: if (last_sent) phase <= IDLE;
      endcase
      if (enable) begin
        stages <= {stages[2], stages[1] || (take && phase == ONE), stages[0], send};
        store1 <= take && phase != ONE;
      end
    end
    if (desc_ready) begin
      tiles <= desc[128+:16];
      lane <= desc[160+:8];
      channel <= desc[160+:16];
      destination <= DESTINATIONS'(1) << desc[256+:8];
      tokens <= desc[320+:16];
      several <= desc[320+:16] != 16'd1 || phase == NEXT;
      channels <= desc[384+:16];
      again <= phase == NEXT;
      part <= desc[352] && desc[448+:32] == 32'd2;
      needs <= 1'b1;
      address <= phase == NEXT ? base : '0;
      row <= phase == NEXT ? base : '0;
      {unit, tile, token} <= '0;
      if (phase == IDLE) half <= 1'b0;
    end else if (phase == SEEK && lane >= 8'(LANES)) begin
      lane <= lane - 8'(LANES);
      unit <= 1'b1;
    end else if (take) begin
      token <= last_token ? '0 : token + 1'b1;
      address <= last_token ? row + 1'b1 : address + kAddress'(MAX_TILES);
      if (last_token) begin
        row <= row + 1'b1;
        tile <= last_tile ? '0 : tile + 1'b1;
        needs <= !last_tile;
        channel <= channel + 1'b1 == channels ? '0 : channel + 1'b1;
        if (channel + 1'b1 == channels) {unit, lane} <= '0;
        else if (lane == 8'(LANES - 1)) {unit, lane} <= 9'h100;
        else lane <= lane + 1'b1;
      end
    end
    if (turn) begin
      half <= !half;
      out_tokens <= tokens;
      {out_tile, out_token} <= '0;
      {out_address, out_row} <= {base, base};
    end else if (send) begin
      out_tile <= last_out_tile ? '0 : out_tile + 1'b1;
      out_address <= last_out_tile ? out_row + kAddress'(MAX_TILES) : out_address + 1'b1;
      if (last_out_tile) {out_token, out_row} <= {out_token + 1'b1, out_row + kAddress'(MAX_TILES)};
    end
    if (enable) begin
      x1 <= unit ? r1 : r0;
      {address1, out_address1} <= {address, out_address};
      {word, read} <= {read, buffer[out_address1]};
      given <= several ? word : x1;
    end
    if (enable && store1) buffer[address1] <= x1;
  end
endmodule
