// What is left of a word's elements once the mean is subtracted, 3 cycles behind the word.
module norm_center (
    input logic clk,
    input logic signed [31:0] mean,
    input logic [511:0] x,
    output logic [511:0] y
);
  for (genvar l = 0; l < 16; l++) begin : g_lanes
    logic signed [31:0] element;
    logic signed [32:0] difference;
    logic [31:0] saturated;
    saturate #(.BITS(33)) u_saturate (.x(difference), .y(saturated));
    always_ff @(posedge clk) begin
      element <= x[32*l+:32];
      difference <= 33'(element) - 33'(mean);
      y[32*l+:32] <= saturated;
    end
  end
endmodule
