// A product of signed numbers of any width in DSP blocks: columns of 17 bits of b in cascade, and a row of them for
// each 26 bits of a, added up in LUTs. kLatency cycles from the factors to the product, to which a block adds ROUND.
module product #(parameter int A = 27, parameter int B = 18, parameter logic [47:0] ROUND = 48'd0) (
    input logic clk,
    input logic enable,
    input logic signed [A-1:0] a,
    input logic signed [B-1:0] b,
    output logic signed [A+B-1:0] y
);
  localparam int kRows = A <= 27 ? 1 : 1 + (A - 27 + 25) / 26;
  localparam int kColumns = B <= 18 ? 1 : 1 + (B - 18 + 16) / 17;
  localparam int kLatency = 3 + kColumns - 1 + kRows - 1;
  localparam int kRowBits = 27 + B;
  logic signed [A+B-1:0] sums[kRows];
  for (genvar r = 0; r < kRows; r++) begin : g_rows
    localparam int kHere = r == kRows - 1 ? A - 26 * r : 26;
    logic signed [26:0] piece;
    logic signed [kRowBits-1:0] row, row_later;
    assign piece = r == kRows - 1 ? 27'($signed(a[26*r+:kHere])) : {1'b0, a[26*r+:kHere]};
    product_row #(.B(B), .COLUMNS(kColumns), .ROUND(r == 0 ? ROUND : 48'd0)) u_row (.clk, .enable, .a(piece), .b, .y(row));
    delay #(.BITS(kRowBits), .CYCLES(r == 0 ? 0 : r - 1)) u_later (.clk, .enable, .x(row), .y(row_later));
    if (r == 0) begin : g_first
      assign sums[0] = (A + B)'(row);
    end else begin : g_sum
      always_ff @(posedge clk) if (enable) begin
        sums[r] <= {$signed(sums[r-1][A+B-1:26*r]) + (A + B - 26 * r)'(row_later), sums[r-1][26*r-1:0]};
      end
    end
  end
  assign y = sums[kRows-1];
endmodule
