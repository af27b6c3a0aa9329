// The steps of a lane through its tiles of an op (stb/lane_step.hpp): which one it is; `step` takes the next one.
module lane_steps #(parameter int TOKEN_LANES = 3, parameter int FINISH = 16, parameter int ACT_BITS = 10) (
    input logic clk,
    input logic start,
    input logic step,
    input logic [15:0] groups,
    input logic [2:0] weight_group,
    input logic two_planes,
    input logic raw,
    input logic [15:0] tiles,
    input logic [15:0] tokens,
    input logic [3:0] passes,
    input logic [5:0] back,
    output logic header,
    output logic word,
    output logic result,
    output logic [15:0] group,
    output logic [3:0] pass,
    output logic plane,
    output logic [1:0] quad,
    output logic [1:0] part,
    output logic [4:0] index,
    output logic [ACT_BITS-1:0] act,
    output logic [1:0] token_lane,
    output logic ends_group,
    output logic last
);
  logic finish, more, quad_ends, tile_ends, last_quad, last_pass, last_token;
  logic [15:0] tile, token;
  logic [3:0] finished;
  assign more = group + 16'(weight_group) < groups;
  assign last_quad = 3'(quad) + 1'b1 == weight_group;
  assign quad_ends = part == 2'd3;
  assign ends_group = last_quad && plane == two_planes;
  assign last_pass = pass + 1'b1 == passes;
  assign last_token = token + 1'b1 == tokens;
  assign tile_ends = result && quad_ends && last_token;
  assign last = tile_ends && tile + 1'b1 == tiles;
  always_ff @(posedge clk) begin
    if (start || (step && tile_ends)) begin
      {header, word, finish, result} <= raw ? 4'b0100 : 4'b1000;
      tile <= start ? '0 : tile + 1'b1;
      {group, pass, plane, quad, part, index, act, token_lane, token, finished} <= '0;
    end else if (step && header) begin
      {header, word} <= 2'b01;
    end else if (step && word) begin
      part <= part + 1'b1;
      index <= quad_ends && ends_group ? '0 : index + 1'b1;
      if (quad_ends) begin
        quad <= last_quad ? '0 : quad + 1'b1;
        if (!last_quad) act <= act + ACT_BITS'(passes);
        if (last_quad) plane <= plane != two_planes;
        if (last_quad && plane != two_planes) act <= act - ACT_BITS'(back);
        if (ends_group) begin
          act <= last_pass ? act + 1'b1 : act - ACT_BITS'(back) + 1'b1;
          pass <= last_pass ? '0 : pass + 1'b1;
          if (last_pass) begin
            group <= group + 16'(weight_group);
            {header, word} <= !more ? 2'b00 : raw ? 2'b01 : 2'b10;
            finish <= !more;
          end
        end
      end
    end else if (step && finish) begin
      finished <= finished + 1'b1;
      if (finished == (raw ? 4'd3 : 4'(FINISH - 1))) begin
        {finish, result} <= 2'b01;
        act <= '0;
      end
    end else if (step) begin
      part <= part + 1'b1;
      if (quad_ends) begin
        token <= token + 1'b1;
        token_lane <= token_lane == 2'(TOKEN_LANES - 1) ? '0 : token_lane + 1'b1;
        if (token_lane == 2'(TOKEN_LANES - 1)) {act, pass} <= {act + 1'b1, pass + 1'b1};
      end
    end
  end
endmodule
