// `stb::quantize`: two words of elements become one of 32 int8 with their scale; WORDS words in all runs of a token.
//
// The words of a group wait in a memory while their scale is found. Each word is a step; the second one gives.
module quantize_twin #(parameter int WORDS = 4, parameter int ROLE = 0) (
    input logic clk,
    input logic reset,
    input logic cmd_valid,
    output logic cmd_ready,
    input logic [63:0] cmd,
    input logic x_valid,
    output logic x_ready,
    input logic [511:0] x,
    output logic y_valid,
    input logic y_ready,
    output logic [511:0] y
);
  localparam int kDepth = 27;
  localparam int kScaled = 18;  // stages until the scale of a group and its first word are there
  logic advance, second;
  logic [$clog2(WORDS+1)-1:0] index;
  logic [kDepth-1:1] groups, words;  // stage by stage: the second word of a group is here; any word is
  logic [511:0] x1, waiting;
  logic [31:0] amax;
  logic [15:0] factor;
  logic [7:0] mantissa, mantissa_later;
  logic [4:0] exponent, exponent_later, exponent_last;
  logic [127:0] bytes, bytes_before;
  assign second = index[0];
  assign y = {240'd0, 3'd0, exponent_last, mantissa_later, bytes, bytes_before};
  launch_steps #(.STEPS(WORDS), .DEPTH(kDepth), .ROLE(ROLE)) u_steps (
      .clk, .reset, .cmd_valid, .cmd_ready, .cmd, .can_read(x_valid), .gives(second), .can_write(y_ready),
      .step(x_ready), .advance, .write(y_valid), .index
  );
  always_ff @(posedge clk) begin
    if (reset) groups <= '0;
    else if (advance) groups <= {groups[kDepth-2:1], x_ready && second};
    if (reset) words <= '0;
    else if (advance) words <= {words[kDepth-2:1], x_ready};
  end
  always_ff @(posedge clk) if (advance) x1 <= x;
  word_queue u_queue (
      .clk, .reset, .enable(advance), .write(words[1]), .x(x1),
      .read(groups[kScaled-1] || groups[kScaled]), .y(waiting)
  );
  group_top u_top (.clk, .reset, .enable(advance), .valid(words[1]), .last(groups[1]), .x(x1), .y(amax));
  group_scale u_scale (
      .clk, .enable(advance), .amax, .keep(groups[kScaled-1]), .mantissa, .exponent, .factor
  );
  delay #(.BITS(5), .CYCLES(4)) u_exponent (.clk, .enable(advance), .x(exponent), .y(exponent_later));
  for (genvar l = 0; l < 16; l++) begin : g_lanes
    quantize_lane u_lane (
        .clk, .enable(advance), .x(waiting[32*l+:32]), .factor, .exponent(exponent_later), .y(bytes[8*l+:8])
    );
  end
  delay #(.BITS(13), .CYCLES(9)) u_scale_later (
      .clk, .enable(advance), .x({mantissa, exponent}), .y({mantissa_later, exponent_last})
  );
  always_ff @(posedge clk) if (advance) bytes_before <= bytes;
endmodule
