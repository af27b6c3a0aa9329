// The fp16 numbers of a lane's last SLOTS headers, and D and M of AT_ONCE rows four cycles behind an address.
//
// A header goes row by row into LUT memory, during the 16 / AT_ONCE cycles behind `write`.
module lane_headers #(parameter int AT_ONCE = 1, parameter int SLOTS = 4) (
    input logic clk,
    input logic reset,
    input logic enable,
    input logic write,
    input logic [$clog2(SLOTS)-1:0] write_slot,
    input logic [511:0] header,
    input logic [$clog2(SLOTS)-1:0] slot,
    input logic [$clog2(16/AT_ONCE)-1:0] step,
    input logic [5:0] exponent,
    input logic two_planes,
    output logic [25*AT_ONCE-1:0] d,
    output logic [25*AT_ONCE-1:0] m
);
  localparam int kSteps = 16 / AT_ONCE;
  localparam int kStep = $clog2(kSteps);
  logic [511:0] held;
  logic [kStep-1:0] at;
  logic [$clog2(SLOTS)-1:0] to;
  logic busy;
  always_ff @(posedge clk) begin
    if (reset) busy <= 1'b0;
    else if (enable) busy <= write || (busy && at != kStep'(kSteps - 1));
    if (enable) begin
      if (write) held <= header;
      // the rows move down, so that the first ones are always those to be stored
      else if (busy) held <= {{AT_ONCE{16'd0}}, held[511:256+16*AT_ONCE], {AT_ONCE{16'd0}}, held[255:16*AT_ONCE]};
      at <= write ? '0 : at + 1'b1;
      if (write) to <= write_slot;
    end
  end
  for (genvar i = 0; i < AT_ONCE; i++) begin : g_rows
    (* ram_style = "distributed" *) logic [31:0] rows[SLOTS*kSteps];
    logic [31:0] pair;
    logic signed [24:0] low;
    always_ff @(posedge clk) begin
      if (enable && busy) rows[{to, at}] <= {held[256+16*i+:16], held[16*i+:16]};
      if (enable) pair <= rows[{slot, step}];
    end
    half_fixed u_d (.clk, .enable, .half(pair[15:0]), .exponent, .y(d[25*i+:25]));
    half_fixed u_m (.clk, .enable, .half(two_planes ? 16'd0 : pair[31:16]), .exponent, .y(low));
    assign m[25*i+:25] = low;
  end
endmodule
