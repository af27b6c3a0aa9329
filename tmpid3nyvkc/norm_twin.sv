// `stb::norm` of whole vectors: WORDS words, a power of two, weighted, with a BIAS or not, EPS with twice the fraction
// bits of x. CENTER makes it a layer norm.
//
// One phase behind the other, each a loop of hls_lib: weights and biases come in with a run's first token, the vector
// comes in, of a layer norm the mean and the longest difference are found, squares are summed, whose mean is a shift;
// its root is found bit by bit, then the inverse, and the words go out.
module norm_twin #(
    parameter int RUNS = 2,
    parameter int WORDS = 256,
    parameter int FOUT = 16,
    parameter int EPS = 168,
    parameter int ROLE = 0,
    parameter int CENTER = 0,
    parameter int BIAS = 0
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
  localparam int kCenter = CENTER == 0 ? 0 : 3;  // stages of the differences from the mean
  localparam int kTake = 7, kSquare = 13 + kCenter, kInverseBits = 25, kRootBits = 31, kStep = 2, kShift = 6,
      kMove = 2, kAdd = 3, kGive = 18;
  typedef enum logic [3:0] {IDLE, WEIGHTS, BIASES, TAKE, DIVIDEND, MEAN, SQUARE, SHIFT, ROOT, INVERT, GIVE} phase_t;
  phase_t phase;
  logic [15:0] tokens, token, run;
  logic [kIndex-1:0] at, limit;
  logic [kGive-1:0] stages;
  logic begins, ends, moving, issue, advance, last_token, last_run, last_param, enable;
  logic [$clog2(WORDS)-1:0] address, weight_address, taken_address;
  logic [511:0] x1, word, weight, bias, taken, squared;
  logic take1, write;
  logic [31:0] top;
  logic [3:0] excess;
  logic [61:0] total, mean, shifted;
  logic [24:0] inverse;
  logic [30:0] root;
  logic [5:0] shift;
  assign cmd_ready = phase == IDLE && stages == '0;
  assign params_ready = (phase == WEIGHTS || phase == BIASES) && at < kIndex'(WORDS);
  assign x_ready = phase == TAKE && at < kIndex'(WORDS);
  assign y_valid = stages[kGive-1];
  assign advance = !y_valid || y_ready;
  assign issue = phase == GIVE && at < kIndex'(WORDS) && advance;
  assign enable = phase != GIVE || advance;
  assign address = ($clog2(WORDS))'(at);
  assign last_token = token + 1'b1 >= tokens;
  assign last_run = run == 16'(RUNS - 1);
  assign last_param = phase == (BIAS == 0 ? WEIGHTS : BIASES);
  always_comb begin
    moving = 1'b1;
    case (phase)
      WEIGHTS, BIASES: moving = params_valid || !params_ready;
      TAKE: moving = x_valid || !x_ready;
      GIVE: moving = advance;
      default: moving = 1'b1;
    endcase
  end
  // The last step of a phase, which its first step, number 0, need not know.
  always_ff @(posedge clk) begin
    case (phase)
      WEIGHTS: limit <= kIndex'(WORDS + kMove - 1);
      BIASES: limit <= kIndex'(WORDS + kAdd - 1);
      TAKE: limit <= kIndex'(WORDS + kTake - 1);
      DIVIDEND: limit <= kIndex'(kAdd);
      MEAN: limit <= kIndex'(2 * kAdd);
      SQUARE: limit <= kIndex'(WORDS + kSquare - 1);
      INVERT: limit <= kIndex'(kInverseBits + kStep - 1);
      SHIFT: limit <= kIndex'(kShift);
      ROOT: limit <= kIndex'(kRootBits + kStep - 1);
      default: limit <= kIndex'(WORDS + kGive - 1);
    endcase
  end
  assign ends = at == limit && phase != IDLE;
  always_ff @(posedge clk) begin
    if (reset) begin
      phase <= IDLE;
      at <= '0;
      begins <= 1'b1;
      stages <= '0;
    end else begin
      if (cmd_valid && cmd_ready) begin
        tokens <= ROLE == 0 ? cmd[15:0] : {15'd0, cmd[16]};
        phase <= WEIGHTS;
        {token, run} <= '0;
      end else if (phase != IDLE && moving) begin
        at <= ends ? '0 : at + 1'b1;
        begins <= ends;
        if (ends) begin
          case (phase)
            WEIGHTS, BIASES:
              phase <= !last_param ? BIASES : tokens != '0 ? TAKE : last_run ? IDLE : WEIGHTS;
            TAKE: phase <= CENTER == 0 ? SQUARE : DIVIDEND;
            GIVE: phase <= !last_token ? TAKE : last_run ? IDLE : WEIGHTS;
            default: phase <= phase_t'(phase + 4'd1);
          endcase
          if (phase == GIVE) token <= last_token ? '0 : token + 1'b1;
          if ((phase == GIVE && last_token) || (last_param && tokens == '0)) run <= run + 1'b1;
        end
      end
      if (advance) stages <= kGive'({stages, issue});
    end
  end
  block_memory #(.WORDS(WORDS)) u_vector (
      .clk, .enable, .write, .write_address(taken_address), .x(taken), .address, .y(word)
  );
  block_memory #(.WORDS(WORDS)) u_weights (
      .clk, .enable, .write(phase == WEIGHTS && params_ready && params_valid), .write_address(address), .x(params),
      .address(weight_address), .y(weight)
  );
  delay #(.BITS($clog2(WORDS)), .CYCLES(8)) u_weight_later (.clk, .enable, .x(address), .y(weight_address));
  always_ff @(posedge clk) begin
    x1 <= x;
    take1 <= x_ready && x_valid;
  end
  if (CENTER == 0) begin : g_whole
    norm_top u_top (.clk, .clear(phase == TAKE && begins), .valid(take1), .x(x1), .y(top));
    assign {write, taken_address, taken} = {x_ready && x_valid, address, x};
    assign squared = word;
  end else begin : g_center
    logic signed [31:0] mean_element;
    logic centered;
    logic [$clog2(WORDS)-1:0] centered_address;
    norm_mean #(.WORDS(WORDS)) u_mean (
        .clk, .clear(phase == TAKE && begins), .valid(take1), .x(x1), .mean(mean_element), .top
    );
    norm_center u_center (.clk, .mean(mean_element), .x(word), .y(squared));
    delay #(.BITS(1 + $clog2(WORDS)), .CYCLES(5)) u_centered (
        .clk, .enable(1'b1), .x({phase == SQUARE && at < kIndex'(WORDS), address}), .y({centered, centered_address})
    );
    assign write = centered || (x_ready && x_valid);
    assign taken_address = centered ? centered_address : address;
    assign taken = centered ? squared : x;
  end
  if (BIAS == 0) begin : g_no_bias
    assign bias = '0;
  end else begin : g_bias
    logic written;
    logic [$clog2(WORDS)-1:0] written_address, bias_address;
    logic [511:0] rounded;
    norm_bias #(.FOUT(FOUT)) u_bias (.clk, .x(params), .y(rounded));
    delay #(.BITS(1 + $clog2(WORDS)), .CYCLES(2)) u_written (
        .clk, .enable(1'b1), .x({phase == BIASES && params_ready && params_valid, address}),
        .y({written, written_address})
    );
    delay #(.BITS($clog2(WORDS)), .CYCLES(14)) u_later (.clk, .enable, .x(address), .y(bias_address));
    block_memory #(.WORDS(WORDS)) u_biases (
        .clk, .enable, .write(written), .write_address(written_address), .x(rounded), .address(bias_address), .y(bias)
    );
  end
  excess_bits u_excess (.clk, .x(top), .y(excess));
  norm_squares #(.LATER(kCenter)) u_squares (
      .clk, .clear(phase == TAKE), .valid(phase == SQUARE && at < kIndex'(WORDS)), .excess, .x(squared), .y(total)
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
        .bias(bias[32*l+:32]), .y(y[32*l+:32])
    );
  end
endmodule
