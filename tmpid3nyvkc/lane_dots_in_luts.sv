// The dot products of a quad's columns for one token in LUTs: what lane_dots makes, in the same cycles.
//
// `word` has 16 rows of 4 bits for each column, none of them later than another. The sums of a word, three cycles
// behind the sums of its neighbouring columns, wait until lane_dots would add them up.
module lane_dots_in_luts (
    input logic clk,
    input logic enable,
    input logic [511:0] word,
    input logic [71:0] activations,
    input logic first,
    output logic [287:0] pairs
);
  logic [511:0] held;
  logic [71:0] values;
  logic [39:0] sums;
  logic starts;
  always_ff @(posedge clk) if (enable) begin
    held <= word;
    values <= activations;
    for (int j = 0; j < 4; j++) begin
      sums[10*j+:10] <= 10'($signed(activations[18*j+:9])) + 10'($signed(activations[18*j+9+:9]));
    end
    starts <= first;
  end
  for (genvar r = 0; r < 16; r++) begin : g_rows
    logic [31:0] weights;
    logic signed [15:0] dot, later;
    logic signed [17:0] sum;
    for (genvar c = 0; c < 8; c++) assign weights[4*c+:4] = held[64*c+4*r+:4];
    row_dot u_dot (.clk, .enable, .weights, .values, .sums, .y(dot));
    delay #(.BITS(16), .CYCLES(5)) u_later (.clk, .enable, .x(dot), .y(later));
    always_ff @(posedge clk) if (enable) sum <= (starts ? '0 : sum) + 18'(later);
    assign pairs[18*r+:18] = r % 2 == 0 ? {~sum[17], sum[16:0]} : sum;
  end
endmodule
