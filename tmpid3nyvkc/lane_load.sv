// Where a lane stores the activations of an op, token by token as they come (`load_activations` of stb/matmul.hpp).
module lane_load #(parameter int TOKEN_LANES = 3, parameter int ACT_BITS = 10) (
    input logic clk,
    input logic start,
    input logic step,
    input logic [15:0] groups,
    input logic [15:0] tokens,
    input logic [3:0] passes,
    output logic [1:0] token_lane,
    output logic [ACT_BITS-1:0] address,
    output logic last
);
  logic [15:0] group, token;
  logic [3:0] pass;
  logic last_group, round;
  assign last_group = group + 1'b1 == groups;
  assign round = token_lane == 2'(TOKEN_LANES - 1);
  assign last = last_group && token + 1'b1 == tokens;
  always_ff @(posedge clk) begin
    if (start) {group, token, pass, token_lane, address} <= '0;
    else if (step) begin
      group <= last_group ? '0 : group + 1'b1;
      address <= !last_group ? address + ACT_BITS'(passes) : ACT_BITS'(round ? pass + 1'b1 : pass);
      if (last_group) begin
        token <= token + 1'b1;
        token_lane <= round ? '0 : token_lane + 1'b1;
        if (round) pass <= pass + 1'b1;
      end
    end
  end
endmodule
