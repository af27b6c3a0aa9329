// A row's dot products of words of 8 columns in LUTs (rtl_lib/twins/row_dot.sv), added up from `first` on.
module dot_fabric #(parameter int WEIGHT = 4, parameter int VALUE = 9, parameter int SUM = 18) (
    input logic clk,
    input logic first,
    input logic [8*WEIGHT-1:0] weights,
    input logic [8*VALUE-1:0] values,
    input logic [4*VALUE+3:0] sums,
    output logic signed [SUM-1:0] y
);
  logic signed [WEIGHT+VALUE+2:0] word;
  logic [2:0] firsts;
  row_dot #(.WEIGHT(WEIGHT), .VALUE(VALUE)) u_word (.clk, .enable(1'b1), .weights, .values, .sums, .y(word));
  always_ff @(posedge clk) begin
    firsts <= {firsts[1:0], first};
    y <= (firsts[2] ? '0 : y) + SUM'(word);
  end
endmodule
