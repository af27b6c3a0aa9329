// One token of a lane's pass: its activations, the dot products, their scales, and the sums of its rows.
//
// The cycles of the inputs are counted from the step of a word: its address is there in cycle 1, `part` and `word`
// in 3, `first_word` in 12, `quad` and what comes with it in 14, the phases of an ended quad in 15 (`phase_…`) and 19
// (`sum_…`), the rows of an ended group in 20. See lane_twin.
module lane_token #(
    parameter int AT_ONCE = 1,
    parameter int PASSES = 4,
    parameter int ACTS = 512,
    parameter int IN_LUTS = 0
) (
    input logic clk,
    input logic enable,
    input logic store,
    input logic [$clog2(ACTS)-1:0] store_address,
    input logic [287:0] activation,
    input logic [$clog2(ACTS)-1:0] address,
    input logic word,
    input logic [1:0] part,
    input logic [511:0] weights,
    input logic [511:0] columns,
    input logic first_word,
    input logic is_unsigned,
    input logic raw,
    input logic quad,
    input logic quad_first,
    input logic quad_second_plane,
    input logic [1:0] phase,
    input logic [1:0] x_phase,
    input logic x_first,
    input logic sum_valid,
    input logic [1:0] sum_phase,
    input logic sum_last,
    input logic sum_group_first,
    input logic [3:0] sum_pass,
    input logic group_begins,
    input logic [3:0] row,
    input logic two_planes,
    input logic [25*AT_ONCE-1:0] d,
    input logic [25*AT_ONCE-1:0] m,
    input logic [$clog2(4*PASSES)-1:0] rows_address,
    input logic rows_first,
    input logic [3:0] rows_write,
    input logic read_result,
    input logic [$clog2(4*PASSES)-1:0] result_address,
    output logic [5:0] exponent,
    output logic [255:0] results
);
  localparam int kBanks = 4 / AT_ONCE;
  (* ram_style = "ultra" *) logic [287:0] acts[ACTS];
  logic [287:0] read, act;
  logic [71:0] values, chosen;
  logic [287:0] pairs, held;
  logic [24:0] s, s16;
  logic signed [34:0] sa, group_sa, sa21, sa22;
  logic [25:0] scale14;
  logic [71:0] two;
  always_ff @(posedge clk) begin
    if (store) acts[store_address] <= activation;
    if (enable) {act, read} <= {read, acts[address]};
  end
  assign exponent = act[273:268];
  for (genvar j = 0; j < 8; j++) begin : g_values
    logic [7:0] value;
    assign value = act[64*part+8*j+:8];
    assign chosen[9*j+:9] = word ? {value[7] && !is_unsigned, value} : 9'd0;
  end
  always_ff @(posedge clk) if (enable) values <= chosen;
  if (IN_LUTS) begin : g_in_luts
    lane_dots_in_luts u_dots (.clk, .enable, .word(columns), .activations(values), .first(first_word), .pairs);
  end else begin : g_in_blocks
    lane_dots u_dots (.clk, .enable, .weights, .activations(values), .first(first_word), .pairs);
  end
  delay #(.BITS(26), .CYCLES(11)) u_scale (
      .clk, .enable, .x({act[267:264], act[263:256], act[287:274]}), .y(scale14)
  );
  lane_scales u_scales (
      .clk, .enable, .quad, .first(quad_first), .second_plane(quad_second_plane), .mantissa(scale14[21:14]),
      .shift(scale14[25:22]), .asum(scale14[13:0]), .s, .sa
  );
  always_ff @(posedge clk) if (enable) begin
    if (quad) held <= pairs;
    s16 <= s;
    if (group_begins) group_sa <= sa;
    {sa22, sa21} <= {sa21, group_sa};
  end
  assign two = held[72*phase+:72];
  logic [43:0] group_x[4];
  logic [95:0] raw_x;  // four rows of an ended group of a raw op, in cycle 19
  for (genvar i = 0; i < 4; i++) begin : g_x
    logic signed [17:0] dot;
    logic [47:0] p;
    logic [43:0] before_sum;
    assign raw_x[24*i+:24] = {p[23:7] - sa[16:0], p[6:0]};
    always_ff @(posedge clk) if (enable) begin
      dot <= i % 2 == 0 ? {~two[36*(i/2)+17], two[36*(i/2)+:17]} : two[36*(i/2)+18+:18];
    end
    lane_sums #(.WORDS(4), .BITS(44)) u_so_far (
        .clk, .write(enable && sum_valid), .to(sum_phase), .x(p[43:0]), .from(x_phase), .y(before_sum)
    );
    dsp_block u_scaled (
        .clk, .enable, .a({2'd0, s16}), .b(dot), .c(48'($signed(before_sum))),
        .opmode({2'b00, x_first ? 3'b000 : 3'b011, 4'b0101}), .pcin('0), .p(p), .pcout()
    );
    lane_sums #(.WORDS(4), .BITS(44)) u_group (
        .clk, .write(enable && sum_valid && sum_last), .to(sum_phase), .x(p[43:0]),
        .from(AT_ONCE == 4 ? row[1:0] : AT_ONCE == 2 ? row[2:1] : row[3:2]), .y(group_x[i])
    );
  end
  for (genvar u = 0; u < AT_ONCE; u++) begin : g_rows
    logic [43:0] chosen_x;
    logic signed [43:0] x21, x22;
    logic [64*kBanks-1:0] sums;
    assign chosen_x = AT_ONCE == 4 ? group_x[u] : AT_ONCE == 2 ? group_x[2*row[0]+u] : group_x[row[1:0]];
    always_ff @(posedge clk) if (enable) begin
      x21 <= chosen_x;
      x22 <= x21 - (two_planes ? 44'(sa21) <<< 7 : 44'sd0);
    end
    logic [kBanks-1:0] mine;
    logic [24*kBanks-1:0] raw_mine;
    for (genvar b = 0; b < kBanks; b++) begin : g_banks
      assign raw_mine[24*b+:24] = raw_x[24*(AT_ONCE*b+u)+:24];
      assign mine[b] = rows_write[AT_ONCE*b+u];
      assign results[64*(AT_ONCE*b+u)+:64] = sums[64*b+:64];
    end
    lane_rows #(.WORDS(4*PASSES), .BANKS(kBanks)) u_rows (
        .clk, .enable, .raw, .raw_x(raw_mine), .raw_valid(sum_valid && sum_last), .raw_first(sum_group_first),
        .raw_address(($clog2(4*PASSES))'({sum_pass, sum_phase})), .d(d[25*u+:25]),
        .m(m[25*u+:25]), .x(x22), .sa(sa22), .address(rows_address),
        .first(rows_first), .write(mine), .read_result, .result_address, .results(sums)
    );
  end
endmodule
