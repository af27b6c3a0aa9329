// Constants in LUTs: WORDS words of BITS bits that follow no rule, one read a cycle.
module table_rom #(parameter int WORDS = 256, parameter int BITS = 32) (
    input logic clk,
    input logic [$clog2(WORDS)-1:0] address,
    output logic [BITS-1:0] y
);
  (* ram_style = "logic" *) logic [BITS-1:0] words[WORDS];
  logic [63:0] state;
  initial begin
    state = 64'h9e37_79b9_7f4a_7c15;
    for (int i = 0; i < WORDS; i++) begin
      state = state ^ (state << 13);
      state = state ^ (state >> 7);
      state = state ^ (state << 17);
      words[i] = BITS'(state);
    end
  end
  always_ff @(posedge clk) y <= words[address];
endmodule
