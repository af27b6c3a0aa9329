// `stb::add_param`: a vector plus parameters of WORDS words, which come with a run's first token and stay in a memory.
module add_param_twin #(parameter int RUNS = 2, parameter int WORDS = 36) (
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
  localparam int kDepth = 5;
  localparam int kWord = $clog2(WORDS);
  logic [15:0] tokens, token, run;
  logic [kWord-1:0] word, word1;
  logic [kDepth:1] stages;
  logic active, any, advance, step, first_token, last_word, last_token, fresh1, fresh2, fresh3;
  (* ram_style = "block" *) logic [511:0] memory[WORDS];
  logic [511:0] x3, param1, param2, param3, read2, read3;
  assign cmd_ready = !active && stages == '0;
  assign y_valid = stages[kDepth];
  assign advance = !y_valid || y_ready;
  assign first_token = token == 16'd1;
  assign last_word = word == kWord'(WORDS - 1);
  assign last_token = token >= tokens;
  assign step = active && advance && (x_valid || !any) && (params_valid || !first_token);
  assign x_ready = step && any;
  assign params_ready = step && first_token;
  always_ff @(posedge clk) begin
    if (reset) begin
      active <= 1'b0;
      stages <= '0;
    end else begin
      if (cmd_valid && cmd_ready) active <= 1'b1;
      else if (step && last_word && last_token && run == 16'(RUNS - 1)) active <= 1'b0;
      if (advance) stages <= {stages[kDepth-1:1], x_ready};
    end
    if (cmd_valid && cmd_ready) begin
      tokens <= cmd[15:0];
      any <= cmd[15:0] != '0;
      token <= 16'd1;
      {run, word} <= '0;
    end else if (step) begin
      word <= last_word ? '0 : word + 1'b1;
      if (last_word) token <= last_token ? 16'd1 : token + 1'b1;
      if (last_word && last_token) run <= run + 1'b1;
    end
    if (advance) begin
      {word1, param1} <= {word, params};
      {fresh3, fresh2, fresh1} <= {fresh2, fresh1, params_ready};
      if (fresh1) memory[word1] <= param1;
      {read3, read2} <= {read2, memory[word1]};
      {param3, param2} <= {param2, param1};
    end
  end
  delay #(.BITS(512), .CYCLES(3)) u_x (.clk, .enable(advance), .x(x), .y(x3));
  for (genvar l = 0; l < 16; l++) begin : g_lanes
    logic signed [31:0] param;
    logic signed [32:0] sum;
    logic [31:0] result;
    assign param = fresh3 ? param3[32*l+:32] : read3[32*l+:32];
    saturate #(.BITS(33)) u_saturate (.x(sum), .y(result));
    always_ff @(posedge clk) if (advance) begin
      sum <= 33'($signed(x3[32*l+:32])) + 33'(param);
      y[32*l+:32] <= result;
    end
  end
endmodule
