// A number CYCLES cycles later.
module delay #(parameter int BITS = 1, parameter int CYCLES = 1) (
    input logic clk,
    input logic enable,
    input logic [BITS-1:0] x,
    output logic [BITS-1:0] y
);
  if (CYCLES == 0) begin : g_none
    assign y = x;
  end else if (CYCLES == 1) begin : g_one
    always_ff @(posedge clk) if (enable) y <= x;
  end else begin : g_more
`ifdef YOSYS
    for (genvar i = 0; i < BITS; i++) begin : g_bits
      logic [CYCLES-1:0] bits;
      always_ff @(posedge clk) if (enable) bits <= {bits[CYCLES-2:0], x[i]};
      assign y[i] = bits[CYCLES-1];
    end
`else
    logic [BITS*CYCLES-1:0] words;  // the same as one number, for a simulator
    always_ff @(posedge clk) if (enable) words <= (BITS * CYCLES)'({words, x});
    assign y = words[BITS*CYCLES-1-:BITS];
`endif
  end
endmodule
