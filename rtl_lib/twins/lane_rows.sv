// D * x + M * sa joins a row's sum: five DSP blocks in cascade over 17-bit slices, the sums in LUT memory.
//
// D, M, x and sa come together, `address` and `first` a cycle later, with a bit of `write` for the bank of the row.
// A sum can be read at `result_address` while no rows are added, and is whole 8 cycles behind x. With several
// banks the rows of a quarter of a raw op join their sums, of 32 bits, at once: `raw_x`, what up to four words of a row
// give, has 24 bits and comes with the quarter's address.
module lane_rows #(parameter int WORDS = 16, parameter int BANKS = 4) (
    input logic clk,
    input logic enable,
    input logic signed [24:0] d,
    input logic signed [24:0] m,
    input logic signed [43:0] x,
    input logic signed [34:0] sa,
    input logic [$clog2(WORDS)-1:0] address,
    input logic first,
    input logic [BANKS-1:0] write,
    input logic raw,
    input logic raw_valid,
    input logic raw_first,
    input logic [$clog2(WORDS)-1:0] raw_address,
    input logic [24*BANKS-1:0] raw_x,
    input logic read_result,
    input logic [$clog2(WORDS)-1:0] result_address,
    output logic [64*BANKS-1:0] results
);
  localparam int kAddress = $clog2(WORDS);
  logic [24:0] d1, d3, m2;
  logic [16:0] x1;
  logic [9:0] x3;
  logic [17:0] sa2;
  logic [kAddress+BANKS:0] at[7];  // cycle by cycle: address, first and write
  logic [47:0] q0, q1, q2, q3, p1, p3, p4;
  logic [16:0] low[BANKS], middle[BANKS], low_sum, middle_sum;
  logic [29:0] high[BANKS], high_sum;
  delay #(.BITS(25 + 17), .CYCLES(1)) u_1 (.clk, .enable, .x({d, x[33:17]}), .y({d1, x1}));
  delay #(.BITS(25 + 18), .CYCLES(2)) u_2 (.clk, .enable, .x({m, sa[34:17]}), .y({m2, sa2}));
  delay #(.BITS(25 + 10), .CYCLES(3)) u_3 (.clk, .enable, .x({d, x[43:34]}), .y({d3, x3}));
  assign at[0] = {write, first, address};
  for (genvar i = 1; i < 7; i++) begin : g_at
    always_ff @(posedge clk) if (enable) at[i] <= at[i-1];
  end
  dsp_block u_low (
      .clk, .enable, .a(27'($signed(d))), .b({1'b0, x[16:0]}), .c(48'(low_sum)),
      .opmode({2'b00, first ? 3'b000 : 3'b011, 4'b0101}), .pcin('0), .p(), .pcout(q0)
  );
  dsp_block #(.STAGES(2)) u_low_sa (
      .clk, .enable, .a(27'($signed(m))), .b({1'b0, sa[16:0]}), .c('0), .opmode(9'b00_001_01_01), .pcin(q0),
      .p(p1), .pcout(q1)
  );
  dsp_block #(.STAGES(2)) u_middle (
      .clk, .enable, .a(27'($signed(d1))), .b({1'b0, x1}), .c(48'(middle_sum)),
      .opmode({at[2][kAddress] ? 2'b00 : 2'b11, 7'b101_01_01}), .pcin(q1), .p(), .pcout(q2)
  );
  dsp_block #(.STAGES(2)) u_middle_sa (
      .clk, .enable, .a(27'($signed(m2))), .b(sa2), .c('0), .opmode(9'b00_001_01_01), .pcin(q2), .p(p3), .pcout(q3)
  );
  dsp_block #(.STAGES(2)) u_high (
      .clk, .enable, .a(27'($signed(d3))), .b(18'($signed(x3))), .c(48'($signed(high_sum))),
      .opmode({at[4][kAddress] ? 2'b00 : 2'b11, 7'b101_01_01}), .pcin(q3), .p(p4), .pcout()
  );
  always_comb begin
    {low_sum, middle_sum, high_sum} = '0;
    for (int i = 0; i < BANKS; i++) begin
      if (at[0][kAddress+1+i]) low_sum |= low[i];
      if (at[2][kAddress+1+i]) middle_sum |= middle[i];
      if (at[4][kAddress+1+i]) high_sum |= high[i];
    end
  end
  // a raw op's sums: cycle by cycle the numbers, the sum so far, the write
  logic raw1, raw2, first1, by_products, by_sums;
  assign by_sums = raw && BANKS != 1;
  assign by_products = !by_sums;
  logic [kAddress-1:0] to1, to2, from_low, from_middle, from_high;
  assign from_low = read_result ? result_address : by_sums ? to1 : at[0][kAddress-1:0];
  assign from_middle = read_result ? result_address : by_sums ? to1 : at[2][kAddress-1:0];
  assign from_high = read_result ? result_address : at[4][kAddress-1:0];
  always_ff @(posedge clk) if (enable) begin
    {raw2, raw1} <= {raw1, raw && raw_valid};
    {to2, to1, first1} <= {to1, raw_address, raw_first};
  end
  for (genvar i = 0; i < BANKS; i++) begin : g_banks
    logic [31:0] sum;
    logic whole;  // the write of a raw op's sum
    if (BANKS != 1) begin : g_raw
      logic signed [23:0] x1, x2;
      logic [31:0] so_far;
      assign whole = raw2;
      assign sum = 32'(x2) + so_far;
      always_ff @(posedge clk) if (enable) begin
        x1 <= raw_x[24*i+:24];
        x2 <= x1;
        so_far <= first1 ? '0 : {middle[i][14:0], low[i]};
      end
    end else begin : g_by_products
      assign {whole, sum} = '0;
    end
    lane_sums #(.WORDS(WORDS), .BITS(17)) u_low (
        .clk, .write(enable && (whole || (by_products && at[3][kAddress+1+i]))),
        .to(whole ? to2 : at[3][kAddress-1:0]), .x(whole ? sum[16:0] : p1[16:0]), .from(from_low), .y(low[i])
    );
    lane_sums #(.WORDS(WORDS), .BITS(17)) u_middle (
        .clk, .write(enable && (whole || (by_products && at[5][kAddress+1+i]))),
        .to(whole ? to2 : at[5][kAddress-1:0]), .x(whole ? 17'($signed(sum[31:17])) : p3[16:0]),
        .from(from_middle), .y(middle[i])
    );
    lane_sums #(.WORDS(WORDS), .BITS(30)) u_high (
        .clk, .write(enable && (whole || (by_products && at[6][kAddress+1+i]))),
        .to(whole ? to2 : at[6][kAddress-1:0]), .x(whole ? {30{sum[31]}} : p4[29:0]), .from(from_high),
        .y(high[i])
    );
    assign results[64*i+:64] = {high[i], middle[i], low[i]};
  end
endmodule
