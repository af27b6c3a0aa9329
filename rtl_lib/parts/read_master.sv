// A reader of one AXI port: COUNT words from an address on, in bursts, with room kept for all that is asked for.
module read_master #(parameter int BITS = 512, parameter int BURST = 64, parameter int DEPTH = 512) (
    input logic clk,
    input logic reset,
    input logic start,
    input logic [63:0] address,
    input logic [31:0] words,
    output logic arvalid,
    input logic arready,
    output logic [63:0] araddr,
    output logic [7:0] arlen,
    input logic rvalid,
    input logic [BITS-1:0] rdata,
    output logic rready,
    output logic valid,
    output logic [BITS-1:0] data,
    input logic ready
);
  localparam int kRoom = $clog2(DEPTH + 1);
  logic [63:0] next;
  logic [31:0] left;
  logic [kRoom-1:0] room;
  logic full, empty, asks, gives;
  logic [31:0] part;
  fifo_memory #(.DEPTH(DEPTH), .BITS(BITS), .STYLE("block")) u_words (
      .clk, .reset, .write(rvalid), .x(rdata), .full, .read(ready), .y(data), .empty
  );
  assign part = left < BURST ? left : BURST;
  assign valid = !empty;
  assign rready = !full;
  assign asks = arvalid && arready;
  assign gives = valid && ready;
  always_ff @(posedge clk) begin
    if (reset) begin
      left <= '0;
      arvalid <= 1'b0;
      room <= kRoom'(DEPTH);
    end else begin
      if (start) begin
        next <= address;
        left <= words;
      end else if (left != 0 && room >= kRoom'(part) && (!arvalid || arready)) begin
        next <= next + BURST * (BITS / 8);
        left <= left - part;
      end
      if (left != 0 && room >= kRoom'(part) && (!arvalid || arready)) begin
        arvalid <= 1'b1;
        araddr <= next;
        arlen <= 8'(part - 1'b1);
        room <= room - kRoom'(part) + kRoom'(gives);
      end else begin
        if (asks) arvalid <= 1'b0;
        room <= room + kRoom'(gives);
      end
    end
  end
endmodule
