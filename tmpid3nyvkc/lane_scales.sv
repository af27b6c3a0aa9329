// What the scales of one token's activations do in a lane: s for a quad's dots, and sa, the sum of s * asum.
//
// An activation's scale comes with `quad` when a quad has ended; s is there a cycle later; sa five cycles later.
module lane_scales (
    input logic clk,
    input logic enable,
    input logic quad,
    input logic first,
    input logic second_plane,
    input logic [7:0] mantissa,
    input logic [3:0] shift,
    input logic signed [13:0] asum,
    output logic [24:0] s,
    output logic signed [34:0] sa
);
  logic signed [22:0] terms[4], halves[2], product;
  logic [3:0] shift3;
  logic quad4, first4, second4;
  logic signed [34:0] scaled;
  delay #(.BITS(4), .CYCLES(3)) u_shift (.clk, .enable, .x(shift), .y(shift3));
  delay #(.BITS(3), .CYCLES(4)) u_control (
      .clk, .enable, .x({quad, first, second_plane}), .y({quad4, first4, second4})
  );
  always_ff @(posedge clk) if (enable) begin
    if (quad) s <= second_plane ? 25'({mantissa, 4'd0}) << shift : 25'(mantissa) << shift;
    for (int i = 0; i < 4; i++) begin
      terms[i] <= (23'({23{mantissa[2*i]}} & 23'(asum)) + 23'({23{mantissa[2*i+1]}} & (23'(asum) <<< 1))) <<< (2 * i);
    end
    halves[0] <= terms[0] + terms[1];
    halves[1] <= terms[2] + terms[3];
    product <= halves[0] + halves[1];
    scaled <= 35'(product) <<< shift3;
    if (quad4) sa <= (first4 ? '0 : sa) + (second4 ? '0 : scaled);
  end
endmodule
