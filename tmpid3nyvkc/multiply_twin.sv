// `stb::mul`: products of two vectors, shifted right by SHIFT, WORDS words in all runs of a token.
module multiply_twin #(parameter int WORDS = 4, parameter int ROLE = 0, parameter int SHIFT = 16) (
    input logic clk,
    input logic reset,
    input logic cmd_valid,
    output logic cmd_ready,
    input logic [63:0] cmd,
    input logic a_valid,
    output logic a_ready,
    input logic [511:0] a,
    input logic b_valid,
    output logic b_ready,
    input logic [511:0] b,
    output logic y_valid,
    input logic y_ready,
    output logic [511:0] y
);
  localparam int kDepth = 8;
  localparam int kRounded = 64 - SHIFT;
  logic step, advance;
  assign {a_ready, b_ready} = {2{step}};
  launch_steps #(.STEPS(WORDS), .DEPTH(kDepth), .ROLE(ROLE)) u_steps (
      .clk, .reset, .cmd_valid, .cmd_ready, .cmd, .can_read(a_valid && b_valid), .gives(1'b1), .can_write(y_ready),
      .step, .advance, .write(y_valid), .index()
  );
  for (genvar l = 0; l < 16; l++) begin : g_lanes
    logic signed [31:0] a1, b1;
    logic signed [63:0] exact;
    logic signed [kRounded-1:0] rounded;
    logic [31:0] result;
    product #(.A(32), .B(32), .ROUND(48'd1 << (SHIFT - 1))) u_product (.clk, .enable(advance), .a(a1), .b(b1), .y(exact));
    saturate #(.BITS(kRounded)) u_saturate (.x(rounded), .y(result));
    always_ff @(posedge clk) if (advance) begin
      {a1, b1} <= {a[32*l+:32], b[32*l+:32]};
      rounded <= $signed(exact[63:SHIFT]);
      y[32*l+:32] <= result;
    end
  end
endmodule
