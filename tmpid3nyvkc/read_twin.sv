// `stb::send`: a reader of one AXI port in bursts of BURST words, of which as many are under way as ROOM words hold.
//
// A command has the first word's number (bits 32 to 63) and how many to read (bits 0 to 31). The next one is taken
// when the last word is written, as a loop behind a loop.
module read_twin #(parameter int BURST = 64, parameter int ROOM = 512) (
    input logic clk,
    input logic reset,
    input logic cmd_valid,
    output logic cmd_ready,
    input logic [63:0] cmd,
    output logic arvalid,
    input logic arready,
    output logic [63:0] araddr,
    output logic [7:0] arlen,
    input logic rvalid,
    output logic rready,
    input logic [511:0] rdata,
    output logic y_valid,
    input logic y_ready,
    output logic [511:0] y
);
  localparam int kRoom = $clog2(ROOM + 1);
  logic [31:0] next, asked, wanted;  // word to ask for next; words not asked for, not written yet
  logic [kRoom-1:0] room;  // words that the FIFO has room for, beyond those that are asked for
  logic [6:0] part;
  logic full, empty, more, ask, gives;
  fifo_memory #(.DEPTH(ROOM), .BITS(512), .STYLE("block")) u_words (
      .clk, .reset, .write(rvalid), .x(rdata), .full, .read(y_ready), .y, .empty
  );
  assign rready = !full;
  assign y_valid = !empty;
  assign gives = y_valid && y_ready;
  assign cmd_ready = wanted == '0;
  assign part = asked < BURST ? 7'(asked) : 7'(BURST);
  assign more = asked != '0 && room >= kRoom'(BURST);
  assign ask = more && (!arvalid || arready);
  always_ff @(posedge clk) begin
    if (reset) begin
      {asked, wanted} <= '0;
      arvalid <= 1'b0;
      room <= kRoom'(ROOM);
    end else begin
      if (cmd_valid && cmd_ready) {next, asked, wanted} <= {cmd[63:32], cmd[31:0], cmd[31:0]};
      else begin
        if (gives) wanted <= wanted - 1'b1;
        if (ask) begin
          next <= next + BURST;
          asked <= asked - 32'(part);
        end
      end
      if (ask) begin
        araddr <= {26'd0, next, 6'd0};
        arlen <= 8'(part) - 1'b1;
      end
      arvalid <= ask || (arvalid && !arready);
      room <= room - (ask ? kRoom'(part) : '0) + kRoom'(gives);
    end
  end
endmodule
