// A stream port's registers in both directions: two words, so that neither side waits for the other.
module register_slice #(parameter int BITS = 512) (
    input logic clk,
    input logic reset,
    input logic in_valid,
    input logic [BITS-1:0] in_data,
    output logic in_ready,
    output logic out_valid,
    output logic [BITS-1:0] out_data,
    input logic out_ready
);
  logic [BITS-1:0] spare;
  logic spare_valid;
  assign in_ready = !spare_valid;
  always_ff @(posedge clk) begin
    if (reset) begin
      out_valid <= 1'b0;
      spare_valid <= 1'b0;
    end else if (!out_valid || out_ready) begin
      out_valid <= spare_valid || in_valid;
      spare_valid <= 1'b0;
    end else if (in_valid && in_ready) begin
      spare_valid <= 1'b1;
    end
    if (!out_valid || out_ready) out_data <= spare_valid ? spare : in_data;
    if (in_ready) spare <= in_data;
  end
endmodule
