// `stb::fork` to two streams, each word to both at once; with BRANCHES = 1 the loop of every process that moves words.
module move_twin #(parameter int WORDS = 4, parameter int ROLE = 0, parameter int BRANCHES = 2) (
    input logic clk,
    input logic reset,
    input logic cmd_valid,
    output logic cmd_ready,
    input logic [63:0] cmd,
    input logic x_valid,
    output logic x_ready,
    input logic [511:0] x,
    output logic y0_valid,
    input logic y0_ready,
    output logic [511:0] y0,
    output logic y1_valid,
    input logic y1_ready,
    output logic [511:0] y1
);
  localparam int kDepth = 2;
  logic advance, write, other;
  logic [511:0] word;
  assign other = BRANCHES == 1 || y1_ready;
  assign y0_valid = write && other;
  assign y1_valid = BRANCHES == 2 && write && y0_ready;
  assign y1 = y0;
  launch_steps #(.STEPS(WORDS), .DEPTH(kDepth), .ROLE(ROLE)) u_steps (
      .clk, .reset, .cmd_valid, .cmd_ready, .cmd, .can_read(x_valid), .gives(1'b1), .can_write(y0_ready && other),
      .step(x_ready), .advance, .write, .index()
  );
  always_ff @(posedge clk) if (advance) {y0, word} <= {word, x};
endmodule
