// A DSP48E2 that multiplies, with registers at its factors, its product and its sum.
//
// p = a * b + what OPMODE's W, Y and Z multiplexers choose (AMD UG579): PCIN, PCIN >> 17, C, P or RND. a and b go in
// in cycle t, p is there in t + 2 + STAGES; c and opmode go in when the product is there, in t + STAGES.
// Yosys takes the block as a black box; the text below the primitive is a model of what of it is used here.
module dsp_block #(
    parameter int STAGES = 1,
    parameter logic [47:0] RND = 48'd0
) (
    input logic clk,
    input logic enable,
    input logic signed [26:0] a,
    input logic signed [17:0] b,
    input logic [47:0] c,
    input logic [8:0] opmode,
    input logic [47:0] pcin,
    output logic [47:0] p,
    output logic [47:0] pcout
);
`ifdef YOSYS
  DSP48E2 #(
      .ACASCREG(STAGES), .AREG(STAGES), .BCASCREG(STAGES), .BREG(STAGES), .CREG(1), .MREG(1), .PREG(1),
      .ADREG(0), .DREG(0), .ALUMODEREG(0), .CARRYINREG(0), .CARRYINSELREG(0), .INMODEREG(0), .OPMODEREG(1),
      .AMULTSEL("A"), .BMULTSEL("B"), .A_INPUT("DIRECT"), .B_INPUT("DIRECT"), .USE_MULT("MULTIPLY"), .RND(RND)
  ) u_block (
      .CLK(clk), .A({{3{a[26]}}, a}), .B(b), .C(c), .D(27'd0), .ACIN(30'd0), .BCIN(18'd0), .PCIN(pcin),
      .ALUMODE(4'd0), .OPMODE(opmode), .INMODE(5'd0), .CARRYIN(1'b0), .CARRYINSEL(3'd0), .CARRYCASCIN(1'b0),
      .MULTSIGNIN(1'b0), .CEA1(STAGES == 2 ? enable : 1'b0), .CEA2(enable), .CEB1(STAGES == 2 ? enable : 1'b0),
      .CEB2(enable), .CEC(enable), .CEM(enable), .CEP(enable), .CEAD(1'b0), .CED(1'b0), .CEALUMODE(1'b0),
      .CECARRYIN(1'b0), .CECTRL(enable), .CEINMODE(1'b0), .RSTA(1'b0), .RSTB(1'b0), .RSTC(1'b0), .RSTD(1'b0),
      .RSTM(1'b0), .RSTP(1'b0), .RSTALLCARRYIN(1'b0), .RSTALUMODE(1'b0), .RSTCTRL(1'b0), .RSTINMODE(1'b0),
      .P(p), .PCOUT(pcout)
  );
`else
  logic signed [26:0] a1, a2;
  logic signed [17:0] b1, b2;
  logic signed [44:0] product;
  logic [47:0] c1, w, z;
  logic [8:0] mode;
  always_comb begin
    case (mode[8:7])
      2'd0: w = '0;
      2'd1: w = p;
      2'd2: w = RND;
      default: w = c1;
    endcase
    case (mode[6:4])
      3'd1: z = pcin;
      3'd2: z = p;
      3'd3: z = c1;
      3'd5: z = {{17{pcin[47]}}, pcin[47:17]};
      default: z = '0;
    endcase
  end
  always_ff @(posedge clk) if (enable) begin
    a1 <= a;
    b1 <= b;
    a2 <= STAGES == 2 ? a1 : a;
    b2 <= STAGES == 2 ? b1 : b;
    product <= a2 * b2;
    c1 <= c;
    mode <= opmode;
    p <= w + z + 48'(product);
  end
  assign pcout = p;
`endif
endmodule
