// A product of 27 bits by B, plus ROUND, in COLUMNS DSP blocks in cascade, 3 + COLUMNS - 1 cycles later.
module product_row #(parameter int B = 18, parameter int COLUMNS = 1, parameter logic [47:0] ROUND = 48'd0) (
    input logic clk,
    input logic enable,
    input logic signed [26:0] a,
    input logic signed [B-1:0] b,
    output logic signed [26+B:0] y
);
  logic [47:0] cascade[COLUMNS+1];
  logic [26+B:0] joined;
  assign cascade[0] = '0;
  assign y = $signed(joined);
  for (genvar c = 0; c < COLUMNS; c++) begin : g_columns
    localparam bit kLast = c == COLUMNS - 1;
    localparam int kHere = kLast ? B - 17 * c : 17;
    logic [26:0] a_later;
    logic [17:0] piece, b_later;
    logic [47:0] p;
    assign piece = kLast ? 18'($signed(b[17*c+:kHere])) : {1'b0, b[17*c+:kHere]};
    delay #(.BITS(45), .CYCLES(c == 0 ? 0 : c - 1)) u_later (
        .clk, .enable, .x({a, piece}), .y({a_later, b_later})
    );
    dsp_block #(.STAGES(c == 0 ? 1 : 2), .RND(c == 0 ? ROUND : 48'd0)) u_block (
        .clk, .enable, .a(a_later), .b(b_later), .c('0),
        .opmode(c == 0 ? 9'b10_000_01_01 : 9'b00_101_01_01), .pcin(cascade[c]), .p(p), .pcout(cascade[c+1])
    );
    if (kLast) begin : g_high
      assign joined[26+B:17*c] = p[26+B-17*c:0];
    end else begin : g_low
      delay #(.BITS(17), .CYCLES(COLUMNS - 1 - c)) u_low (.clk, .enable, .x(p[16:0]), .y(joined[17*c+:17]));
    end
  end
endmodule
