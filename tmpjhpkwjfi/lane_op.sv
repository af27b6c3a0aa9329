// A lane's op: the fields of its descriptor, and what follows from them, 18 cycles later at most.
//
// `tiles` is how many of the op's tiles lie in the lane's channel: a quotient, found a bit a cycle. `ready` says that
// it is there; passes and back (where the activations of a pass begin) are there two cycles behind `take`.
module lane_op #(parameter int LANE = 0, parameter int TOKEN_LANES = 3) (
    input logic clk,
    input logic reset,
    input logic take,
    input logic [511:0] descriptor,
    output logic ready,
    output logic load,
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
  logic [15:0] all, base, channel, channels, first;
  logic [16:0] behind, trial;
  logic [15:0] rest, bits, quotient;
  logic [4:0] left;
  logic taken, known;
  initial for (int i = 0; i < 64; i++) passes_of[i] = 4'((i + TOKEN_LANES - 1) / TOKEN_LANES);
  assign behind = {1'b0, channel} - {1'b0, base};
  assign trial = {rest, bits[15]} - {1'b0, channels};
  assign ready = !taken && !known && left == '0;
  always_ff @(posedge clk) begin
    if (reset) {taken, known, left} <= '0;
    else begin
      {taken, known} <= {take, taken};
      left <= known ? 5'd16 : left != '0 ? left - 1'b1 : '0;
    end
    if (take) begin
      groups <= descriptor[32+:16];
      weight_group <= descriptor[64+:3];
      two_planes <= descriptor[96+:2] == 2'd2;
      all <= descriptor[128+:16];
      base <= descriptor[160+:16];
      load <= descriptor[192+:32] != '0;
      shift <= descriptor[288+:9];
      tokens <= descriptor[320+:16];
      channel <= descriptor[352+:16] + 16'(LANE);
      channels <= descriptor[384+:16];
      exponent <= descriptor[416+:6];
    end
    if (taken) begin
      first <= behind[16] ? behind[15:0] + channels : behind[15:0];
      passes <= passes_of[tokens[5:0]];
    end
    back <= weight_group == 3'd4 ? 6'(passes) + {1'b0, passes, 1'b0} : weight_group == 3'd2 ? 6'(passes) : '0;
    // the tiles behind the first one, divided by the channels; one more than that is the lane's
    if (known) begin
      {rest, quotient} <= '0;
      bits <= all - first - 1'b1;
      tiles <= first < all ? 16'd1 : 16'd0;
    end else if (left != '0) begin
      rest <= trial[16] ? {rest[14:0], bits[15]} : trial[15:0];
      bits <= {bits[14:0], 1'b0};
      quotient <= {quotient[14:0], !trial[16]};
      if (left == 5'd1 && tiles != '0) tiles <= {quotient[14:0], !trial[16]} + 1'b1;
    end
  end
endmodule
