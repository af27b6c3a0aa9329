// 2^54 over a root from 2^30 to 2^31 - 1, a bit in each cycle that `enable` marks; `first` marks the first of 25.
module inverse_steps (
    input logic clk,
    input logic enable,
    input logic first,
    input logic [30:0] root,
    output logic [24:0] inverse
);
  logic [30:0] rest, old;
  logic [32:0] trial;
  assign old = first ? 31'd1 << 29 : rest;
  assign trial = {1'b0, old, 1'b0} - {2'b0, root};
  always_ff @(posedge clk) if (enable) begin
    rest <= trial[32] ? {old[29:0], 1'b0} : trial[30:0];
    inverse <= {inverse[23:0], !trial[32]};
  end
endmodule
