// `stb::norm` of whole vectors without a mean: WORDS words, a power of two, weighted, EPS with twice the fraction
// bits of x.
//
// One phase behind the other, each a loop of hls_lib: weights come in with a run's first token, the vector comes in,
// its squares are summed, whose mean is a shift; its root is found bit by bit, then the inverse, and the words go out.
module norm_twin #(
    parameter int RUNS = 2,
    parameter int WORDS = 256,
    parameter int FOUT = 16,
    parameter int EPS = 168,
    parameter int ROLE = 0
) (
    input logic clk,
    input logic reset,
    input logic cmd_valid,
    output logic cmd_ready,
    input logic [63:0] cmd,
    input logic x_valid,
    output logic x_ready,
    input logic [511:0] x,
    input logic params_valid,
    output logic params_ready,
    input logic [511:0] params,
    output logic y_valid,
    input logic y_ready,
    output logic [511:0] y
);
  localparam int kIndex = $clog2(WORDS + 64);
  localparam int kTake = 7, kSquare = 13, kInverseBits = 25, kRootBits = 31, kStep = 2, kShift = 6,
      kMove = 2, kGive = 18;
  typedef enum logic [3:0] {IDLE, WEIGHTS, TAKE, SQUARE, SHIFT, ROOT, INVERT, GIVE} phase_t;
  phase_t phase;
  logic [15:0] tokens, token, run;
  logic [kIndex-1:0] at;
  logic [kGive-1:0] stages;
  logic begins, ends, moving, issue, advance, last_token, last_run, enable;
  logic [$clog2(WORDS)-1:0] address, weight_address;
  logic [511:0] x1, word, weight;
  logic take1, squared1;
  logic [31:0] top;
  logic [3:0] excess;
  logic [61:0] total, mean, shifted;
  logic [24:0] inverse;
  logic [30:0] root;
  logic [5:0] shift;
  assign cmd_ready = phase == IDLE && stages == '0;
  assign params_ready = phase == WEIGHTS && at < kIndex'(WORDS);
  assign x_ready = phase == TAKE && at < kIndex'(WORDS);
  assign y_valid = stages[kGive-1];
  assign advance = !y_valid || y_ready;
  assign issue = phase == GIVE && at < kIndex'(WORDS) && advance;
  assign enable = phase != GIVE || advance;
  assign address = ($clog2(WORDS))'(at);
  assign begins = at == '0;
  assign last_token = token + 1'b1 >= tokens;
  assign last_run = run == 16'(RUNS - 1);
  always_comb begin
    moving = 1'b1;
    case (phase)
      WEIGHTS: moving = params_valid || !params_ready;
      TAKE: moving = x_valid || !x_ready;
      GIVE: moving = advance;
      default: moving = 1'b1;
    endcase
    case (phase)
      WEIGHTS: ends = at == kIndex'(WORDS + kMove - 1);
      TAKE: ends = at == kIndex'(WORDS + kTake - 1);
      SQUARE: ends = at == kIndex'(WORDS + kSquare - 1);
      INVERT: ends = at == kIndex'(kInverseBits + kStep - 1);
      SHIFT: ends = at == kIndex'(kShift);
      ROOT: ends = at == kIndex'(kRootBits + kStep - 1);
      GIVE: ends = at == kIndex'(WORDS + kGive - 1);
      default: ends = 1'b0;
    endcase
  end
  always_ff @(posedge clk) begin
    if (reset) begin
      phase <= IDLE;
      at <= '0;
      stages <= '0;
    end else begin
      if (cmd_valid && cmd_ready) begin
        tokens <= ROLE == 0 ? cmd[15:0] : {15'd0, cmd[16]};
        phase <= WEIGHTS;
        {token, run} <= '0;
      end else if (phase != IDLE && moving) begin
        at <= ends ? '0 : at + 1'b1;
        if (ends) begin
          case (phase)
            WEIGHTS: phase <= tokens == '0 ? (last_run ? IDLE : WEIGHTS) : TAKE;
            GIVE: phase <= !last_token ? TAKE : last_run ? IDLE : WEIGHTS;
            default: phase <= phase_t'(phase + 4'd1);
          endcase
          if (phase == GIVE) token <= last_token ? '0 : token + 1'b1;
          if ((phase == GIVE && last_token) || (phase == WEIGHTS && tokens == '0)) run <= run + 1'b1;
        end
      end
      if (advance) stages <= kGive'({stages, issue});
    end
  end
  block_memory #(.WORDS(WORDS)) u_vector (
      .clk, .enable, .write(x_ready && x_valid), .write_address(address), .x, .address, .y(word)
  );
  block_memory #(.WORDS(WORDS)) u_weights (
      .clk, .enable, .write(params_ready && params_valid), .write_address(address), .x(params), .address(weight_address),
      .y(weight)
  );
  delay #(.BITS($clog2(WORDS)), .CYCLES(8)) u_weight_later (.clk, .enable, .x(address), .y(weight_address));
  always_ff @(posedge clk) begin
    x1 <= x;
    take1 <= x_ready && x_valid;
  end
  norm_top u_top (.clk, .clear(phase == TAKE && begins), .valid(take1), .x(x1), .y(top));
  excess_bits u_excess (.clk, .x(top), .y(excess));
  norm_squares u_squares (
      .clk, .clear(phase == TAKE), .valid(phase == SQUARE && at < kIndex'(WORDS)), .excess, .x(word), .y(total)
  );
  assign mean = total >> $clog2(16 * WORDS);
  norm_shift #(.EPS(EPS)) u_shift (.clk, .mean(mean[47:0]), .excess, .shifted, .shift);
  root_steps u_root (
      .clk, .enable(phase == ROOT && at < kIndex'(kRootBits)), .first(begins), .x(shifted), .root
  );
  inverse_steps u_inverse (
      .clk, .enable(phase == INVERT && at < kIndex'(kInverseBits)), .first(begins), .root, .inverse
  );
  for (genvar l = 0; l < 16; l++) begin : g_lanes
    norm_lane #(.FOUT(FOUT)) u_lane (
        .clk, .enable, .x(word[32*l+:32]), .factor(inverse), .shift, .weight(weight[32*l+:32]),
        .y(y[32*l+:32])
    );
  end
endmodule
