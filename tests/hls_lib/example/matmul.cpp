// Kernel matmul of the example: a compute unit of two lanes; two units of it run.
#include "stb/matmul.hpp"

#include "stb/stream.hpp"

extern "C" void matmul(stb::Port<stb::Word>& desc, stb::Port<stb::Word>& act, stb::Port<stb::Word>& weights_0,
                       stb::Port<stb::Word>& weights_1, stb::Port<stb::Word>& tiles) {
#pragma HLS INTERFACE mode = axis port = desc
#pragma HLS INTERFACE mode = axis port = act
#pragma HLS INTERFACE mode = axis port = weights_0
#pragma HLS INTERFACE mode = axis port = weights_1
#pragma HLS INTERFACE mode = axis port = tiles
#pragma HLS INTERFACE mode = ap_ctrl_none port = return
#pragma HLS DATAFLOW
  STB_FIFO(stb::Word, merge_desc, 4)
  STB_FIFO(stb::Word, lane_desc_0, 4)
  STB_FIFO(stb::Word, lane_act_0, 16)
  STB_FIFO(stb::Word, lane_tiles_0, 8)
  STB_FIFO(stb::Word, lane_desc_1, 4)
  STB_FIFO(stb::Word, lane_act_1, 16)
  STB_FIFO(stb::Word, lane_tiles_1, 8)
  STB_PREFETCH(fetched_0, weights_0, 16, bram)
  STB_PREFETCH(fetched_1, weights_1, 16, bram)
  // <LANES>(desc, activations, merger's descriptors, per lane descriptors, activations)
  STB_CALL(act_fan,
           (stb::act_fan<2>(desc, act, merge_desc, lane_desc_0, lane_act_0, lane_desc_1, lane_act_1)))
  // <LANE, KMAX, CHUNK, TOKEN_LANES, MIN_WORDS>(desc, activations, weights, result)
  STB_CALL(mac_lane_0, (stb::mac_lane<0, 256, 4, 2, 4>(lane_desc_0, lane_act_0, fetched_0, lane_tiles_0)))
  STB_CALL(mac_lane_1, (stb::mac_lane<1, 256, 4, 2, 4>(lane_desc_1, lane_act_1, fetched_1, lane_tiles_1)))
  // <LANES>(desc, results of the lanes, result)
  STB_CALL(merge, (stb::merge<2>(merge_desc, lane_tiles_0, lane_tiles_1, tiles)))
}
