// A function of one element by 256 linear pieces of 1/8 over [-16, 16), 16 fraction bits; 12 cycles.
module map_lane #(parameter TABLE = "map_table.hex") (
    input logic clk,
    input logic enable,
    input logic [31:0] x,
    output logic [31:0] y
);
  (* ram_style = "logic" *) logic [63:0] pieces[256];
  logic signed [31:0] x1, rest, rest_later, slope, base, base_later;
  logic signed [32:0] left;
  logic signed [19:0] piece;
  logic [7:0] index;
  logic signed [63:0] exact;
  logic signed [47:0] rounded;
  logic signed [48:0] based;
  logic [31:0] result;
  initial $readmemh(TABLE, pieces);
  assign piece = left[32:13];
  product #(.A(32), .B(32), .ROUND(48'd32768)) u_product (.clk, .enable, .a(slope), .b(rest_later), .y(exact));
  delay #(.BITS(32), .CYCLES(6)) u_base (.clk, .enable, .x(base), .y(base_later));
  saturate #(.BITS(49)) u_saturate (.x(based), .y(result));
  always_ff @(posedge clk) if (enable) begin
    x1 <= x;
    left <= 33'(x1) + 33'sd1048576;
    index <= piece < 0 ? 8'd0 : piece > 255 ? 8'd255 : piece[7:0];
    rest <= piece < 0 ? left[31:0] : piece > 255 ? {19'(piece - 20'sd255), left[12:0]} : {19'd0, left[12:0]};
    {slope, base} <= pieces[index];
    rest_later <= rest;
    rounded <= $signed(exact[63:16]);
    based <= 49'(base_later) + 49'(rounded);
    y <= result;
  end
endmodule
