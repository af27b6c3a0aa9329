// Biases of 16 fraction bits as numbers of FOUT bits, rounded and saturated, 2 cycles later.
module norm_bias #(parameter int FOUT = 16) (
    input logic clk,
    input logic [511:0] x,
    output logic [511:0] y
);
  localparam int kRight = FOUT < 16 ? 16 - FOUT : 1;
  localparam int kLeft = FOUT > 16 ? FOUT - 16 : 0;
  for (genvar l = 0; l < 16; l++) begin : g_lanes
    logic signed [31:0] raw;
    logic [31:0] saturated;
    if (FOUT < 16) begin : g_right
      logic signed [32:0] sum;
      assign sum = 33'(raw) + (33'sd1 <<< (kRight - 1));
      assign saturated = 32'(sum >>> kRight);
    end else begin : g_left
      saturate #(.BITS(33 + kLeft)) u_saturate (.x((33 + kLeft)'(raw) <<< kLeft), .y(saturated));
    end
    always_ff @(posedge clk) begin
      raw <= x[32*l+:32];
      y[32*l+:32] <= saturated;
    end
  end
endmodule
