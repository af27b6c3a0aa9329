// A row's dot product of a word of 8 columns in LUTs, three cycles behind the word.
//
// A bit of the weights of two neighbouring columns chooses one of their values, both, or none; the sums of both are
// made once for all rows. Four such numbers for each of the bits, added up, make the word's sum.
module row_dot #(parameter int WEIGHT = 4, parameter int VALUE = 9) (
    input logic clk,
    input logic enable,
    input logic [8*WEIGHT-1:0] weights,
    input logic [8*VALUE-1:0] values,
    input logic [4*VALUE+3:0] sums,
    output logic signed [WEIGHT+VALUE+2:0] y
);
  localparam int kPlane = VALUE + 3;
  logic signed [kPlane-1:0] planes[WEIGHT];
  logic signed [WEIGHT+kPlane-1:0] joined;
  for (genvar b = 0; b < WEIGHT; b++) begin : g_planes
    logic signed [VALUE:0] chosen[4];
    logic signed [VALUE+1:0] halves[2];
    for (genvar j = 0; j < 4; j++) begin : g_pairs
      logic signed [VALUE-1:0] left, right;
      logic signed [VALUE:0] both;
      logic with_left, with_right;
      assign left = values[VALUE*2*j+:VALUE];
      assign right = values[VALUE*(2*j+1)+:VALUE];
      assign both = sums[(VALUE+1)*j+:VALUE+1];
      assign with_left = weights[WEIGHT*2*j+b];
      assign with_right = weights[WEIGHT*(2*j+1)+b];
      assign chosen[j] = with_left ? (with_right ? both : (VALUE+1)'(left)) : with_right ? (VALUE+1)'(right) : '0;
    end
    always_ff @(posedge clk) if (enable) begin
      for (int i = 0; i < 2; i++) halves[i] <= chosen[2*i] + chosen[2*i+1];
      planes[b] <= halves[0] + halves[1];
    end
  end
  always_comb begin
    joined = '0;
    for (int b = WEIGHT - 1; b >= 0; b--) joined = (joined <<< 1) + planes[b];
  end
  always_ff @(posedge clk) if (enable) y <= joined;
endmodule
