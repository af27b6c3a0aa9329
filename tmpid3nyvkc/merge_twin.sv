// `stb::merge` of a compute unit with two lanes: a step for each tile and token of an op, in the order of the channels.
//
// A step of a channel that lies in the unit moves a word; those of the others pass in a cycle.
module merge_twin (
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
    output logic y_valid,
    input logic y_ready,
    output logic [511:0] y
);
  logic [15:0] tiles, tokens, channel, first, channels, token;
  logic [511:0] word;
  logic [1:0] stages;
  logic running, enable, lane, mine, step, last_token;
  assign desc_ready = !running && stages == '0;
  assign y_valid = stages[1];
  assign enable = !y_valid || y_ready;
  assign lane = channel != first;
  assign mine = channel == first || channel == first + 1'b1;
  assign r0_ready = running && enable && mine && !lane;
  assign r1_ready = running && enable && mine && lane;
  assign step = running && enable && (!mine || (lane ? r1_valid : r0_valid));
  assign last_token = token + 1'b1 == tokens;
  always_ff @(posedge clk) begin
    if (reset) begin
      running <= 1'b0;
      stages <= '0;
    end else begin
      if (desc_valid && desc_ready) running <= desc[31:0] == 32'd1 && desc[128+:16] != '0;
      else if (step && last_token && tiles == 16'd1) running <= 1'b0;
      if (enable) stages <= {stages[0], step && mine};
    end
    if (desc_ready) begin
      tiles <= desc[128+:16];
      channel <= desc[160+:16];
      tokens <= desc[320+:16];
      first <= desc[352+:16];
      channels <= desc[384+:16];
      token <= '0;
    end else if (step) begin
      token <= last_token ? '0 : token + 1'b1;
      if (last_token) begin
        tiles <= tiles - 1'b1;
        channel <= channel + 1'b1 == channels ? '0 : channel + 1'b1;
      end
    end
    if (enable) {y, word} <= {word, lane ? r1 : r0};
  end
endmodule
