// The square root of 62 bits, rounded down, a bit in each cycle that `enable` marks; `first` marks the first of 31.
module root_steps (
    input logic clk,
    input logic enable,
    input logic first,
    input logic [61:0] x,
    output logic [30:0] root
);
  logic [32:0] rest, old;
  logic [30:0] found;
  logic [61:0] pairs, left;
  logic [35:0] trial;
  assign old = first ? '0 : rest;
  assign found = first ? '0 : root;
  assign pairs = first ? x : left;
  assign trial = {1'b0, old, pairs[61:60]} - {3'b0, found, 2'b01};
  always_ff @(posedge clk) if (enable) begin
    rest <= trial[35] ? {old[30:0], pairs[61:60]} : trial[32:0];
    root <= {found[29:0], !trial[35]};
    left <= {pairs[59:0], 2'b00};
  end
endmodule
