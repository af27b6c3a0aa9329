// Two rows of 4-bit weights times 9-bit activations: a cascade of one DSP48E2 a column, which sums by itself.
//
// The high row's weight lies 18 bits above the low row's, so that a DSP holds both products (AMD WP486). The
// rounding constant keeps the low sum from borrowing: low = {~p[17], p[16:0]}, high = p[35:18].
module packed_dot #(parameter int COLUMNS = 8) (
    input logic clk,
    input logic first,
    input logic [4*COLUMNS-1:0] high,
    input logic [4*COLUMNS-1:0] low,
    input logic [9*COLUMNS-1:0] activation,
    output logic [35:0] sums
);
  localparam logic [8:0] kProduct = 9'b00_000_01_01, kAdd = 9'b00_001_01_01;
  logic [COLUMNS:0][47:0] cascade;
  logic [COLUMNS-1:0][47:0] p;
  assign cascade[0] = '0;
  for (genvar c = 0; c < COLUMNS; c++) begin : g_columns
    localparam bit kLast = c == COLUMNS - 1;
    logic [8:0] mode;
    logic signed [8:0] x;
    assign x = activation[9*c+:9];
    assign mode = c == 0 ? kProduct : kLast ? {first, ~first, 7'b001_01_01} : kAdd;
    DSP48E2 #(
        .ACASCREG(c == 0 ? 1 : 2), .BCASCREG(c == 0 ? 1 : 2), .AREG(c == 0 ? 1 : 2), .BREG(c == 0 ? 1 : 2),
        .ADREG(0), .DREG(0), .ALUMODEREG(0), .CARRYINREG(0), .CARRYINSELREG(0), .INMODEREG(0),
        .OPMODEREG(1), .CREG(1), .MREG(1), .PREG(1), .USE_MULT("MULTIPLY"),
        .RND(kLast ? 48'h20000 : 48'h0)
    ) u_dsp (
        .CLK(clk), .A({5'b0, high[4*c+:4], 14'b0, low[4*c+:4]}), .B({{9{x[8]}}, x}), .C('0), .D('0),
        .PCIN(cascade[c]), .PCOUT(cascade[c+1]), .P(p[c]), .OPMODE(mode), .ALUMODE('0), .INMODE('0),
        .CARRYIN(1'b0), .CARRYINSEL('0), .CARRYCASCIN(1'b0), .MULTSIGNIN(1'b0), .ACIN('0), .BCIN('0),
        .CEA1(c != 0), .CEA2(1'b1), .CEB1(c != 0), .CEB2(1'b1), .CEM(1'b1), .CEP(1'b1), .CECTRL(1'b1),
        .CEC(1'b0), .CEAD(1'b0), .CED(1'b0), .CEALUMODE(1'b0), .CECARRYIN(1'b0), .CEINMODE(1'b0),
        .RSTA(1'b0), .RSTB(1'b0), .RSTC(1'b0), .RSTD(1'b0), .RSTM(1'b0), .RSTP(1'b0), .RSTCTRL(1'b0),
        .RSTALUMODE(1'b0), .RSTALLCARRYIN(1'b0), .RSTINMODE(1'b0)
    );
  end
  assign sums = p[COLUMNS-1][35:0];
endmodule
