// A number saturated to +-(2^31 - 1): `sat` of docs/numerics.md, without a register.
module saturate #(parameter int BITS = 33) (
    input logic signed [BITS-1:0] x,
    output logic [31:0] y
);
  logic fits, least;
  assign fits = (&x[BITS-1:31]) || !(|x[BITS-1:31]);
  assign least = x[31:0] == 32'h8000_0000;
  assign y = !fits ? {x[BITS-1], {30{!x[BITS-1]}}, 1'b1} : least ? 32'h8000_0001 : x[31:0];
endmodule
