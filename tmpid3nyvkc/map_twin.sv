// `stb::map`: a function by 256 linear pieces, WORDS words in all runs of a token; TABLE has slopes and bases.
module map_twin #(parameter int WORDS = 4, parameter int ROLE = 0, parameter TABLE = "map_table.hex") (
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
  localparam int kDepth = 12;
  logic advance;
  launch_steps #(.STEPS(WORDS), .DEPTH(kDepth), .ROLE(ROLE)) u_steps (
      .clk, .reset, .cmd_valid, .cmd_ready, .cmd, .can_read(x_valid), .gives(1'b1), .can_write(y_ready),
      .step(x_ready), .advance, .write(y_valid), .index()
  );
  for (genvar l = 0; l < 16; l++) begin : g_lanes
    map_lane #(.TABLE(TABLE)) u_lane (.clk, .enable(advance), .x(x[32*l+:32]), .y(y[32*l+:32]));
  end
endmodule
