// The steps of a process in a launch: TOKENS of the command times STEPS, through DEPTH stages that stall together.
//
// A step happens in a cycle in which `can_read` says that its inputs are there. If it `gives` a word, that is
// written DEPTH cycles later, or when `can_write` says that there is room. `active`: a launch has steps left. Its
// command is read once the stages are empty.
module launch_steps #(parameter int STEPS = 4, parameter int DEPTH = 3, parameter int ROLE = 0) (
    input logic clk,
    input logic reset,
    input logic cmd_valid,
    output logic cmd_ready,
    input logic [63:0] cmd,
    input logic can_read,
    input logic gives,
    input logic can_write,
    output logic step,
    output logic advance,
    output logic write,
    output logic [$clog2(STEPS+1)-1:0] index
);
  localparam int kWidth = $clog2(STEPS + 1);
  logic [15:0] tokens;
  logic [DEPTH-1:0] stages;
  logic active, last;
  assign cmd_ready = !active && stages == '0;
  assign write = stages[DEPTH-1];
  assign advance = !write || can_write;
  assign step = active && can_read && advance;
  assign last = index == kWidth'(STEPS - 1);
  always_ff @(posedge clk) begin
    if (reset) begin
      active <= 1'b0;
      stages <= '0;
      index <= '0;
    end else begin
      if (cmd_valid && cmd_ready) begin
        tokens <= ROLE == 0 ? cmd[15:0] : {15'd0, cmd[16]};
        active <= ROLE == 0 ? cmd[15:0] != '0 : cmd[16];
        index <= '0;
      end else if (step) begin
        index <= last ? '0 : index + 1'b1;
        if (last) tokens <= tokens - 1'b1;
        if (last && tokens == 16'd1) active <= 1'b0;
      end
      if (advance) stages <= DEPTH'({stages, step && gives});
    end
  end
endmodule
