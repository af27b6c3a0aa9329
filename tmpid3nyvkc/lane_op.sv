// A lane's op: the fields of its descriptor, and what follows from them, two cycles later.
//
// `tiles` is how many of the op's tiles lie in the lane's channel; `ready` says that it is there, and `passes` and
// `back` (where the activations of a pass begin) with it.
module lane_op #(parameter int LANE = 0, parameter int TOKEN_LANES = 3) (
    input logic clk,
    input logic reset,
    input logic take,
    input logic [511:0] descriptor,
    output logic ready,
    output logic load,
    output logic raw,
    output logic is_unsigned,
    output logic [15:0] groups,
    output logic [2:0] weight_group,
    output logic two_planes,
    output logic [15:0] tiles,
    output logic [15:0] tokens,
    output logic [3:0] passes,
    output logic [5:0] back,
    output logic signed [8:0] shift,
    output logic [5:0] exponent
);
  (* ram_style = "logic" *) logic [3:0] passes_of[64];
  logic [15:0] base, channel, channels, first, rounds, rest;
  logic [16:0] behind;
  logic taken, known;
  initial for (int i = 0; i < 64; i++) passes_of[i] = 4'((i + TOKEN_LANES - 1) / TOKEN_LANES);
  assign behind = {1'b0, channel} - {1'b0, base};
  assign ready = !taken && !known;
  always_ff @(posedge clk) begin
    if (reset) {taken, known} <= '0;
    else {taken, known} <= {take, taken};
    if (take) begin
      groups <= descriptor[32+:16];
      weight_group <= descriptor[64+:3];
      two_planes <= descriptor[96+:2] == 2'd2;
      base <= descriptor[160+:16];
      load <= descriptor[192+:32] != '0;
      shift <= descriptor[288+:9];
      tokens <= descriptor[320+:16];
      channel <= descriptor[352+:16] + 16'(LANE);
      channels <= descriptor[384+:16];
      {rest, rounds} <= descriptor[480+:32];
      exponent <= descriptor[416+:6];
      raw <= descriptor[448+:32] == 32'd1 || descriptor[448+:32] == 32'd2;
      is_unsigned <= descriptor[448+:32] == 32'd2;
    end
    if (taken) begin
      first <= behind[16] ? behind[15:0] + channels : behind[15:0];
      passes <= passes_of[tokens[5:0]];
    end
    back <= weight_group == 3'd4 ? 6'(passes) + {1'b0, passes, 1'b0} : weight_group == 3'd2 ? 6'(passes) : '0;
    if (known) tiles <= rounds + 16'(first < rest);
  end
endmodule
