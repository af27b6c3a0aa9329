// Kernel router of the example: one source and one destination, two compute units of two lanes.
#include "stb/router.hpp"

#include "stb/stream.hpp"

extern "C" void router(stb::Port<stb::Word>& desc, stb::Port<stb::Word>& linear_x,
                       stb::Port<stb::Word>& tiles_0, stb::Port<stb::Word>& tiles_1,
                       stb::Port<stb::Word>& desc_0, stb::Port<stb::Word>& act_0,
                       stb::Port<stb::Word>& desc_1, stb::Port<stb::Word>& act_1,
                       stb::Port<stb::Word>& linear_y) {
#pragma HLS INTERFACE mode = axis port = desc
#pragma HLS INTERFACE mode = axis port = linear_x
#pragma HLS INTERFACE mode = axis port = tiles_0
#pragma HLS INTERFACE mode = axis port = tiles_1
#pragma HLS INTERFACE mode = axis port = desc_0
#pragma HLS INTERFACE mode = axis port = act_0
#pragma HLS INTERFACE mode = axis port = desc_1
#pragma HLS INTERFACE mode = axis port = act_1
#pragma HLS INTERFACE mode = axis port = linear_y
#pragma HLS INTERFACE mode = ap_ctrl_none port = return
#pragma HLS DATAFLOW
  STB_FIFO(stb::Word, desc_collect, 4)
  // <SOURCES, LANES, KMAX>(desc, sources, collector's descriptors, per unit descriptors, activations)
  STB_CALL(dispatch, (stb::dispatch<1, stb::UnitLanes<2, 2>, 256>(desc, linear_x, desc_collect, desc_0, act_0,
                                                                  desc_1, act_1)))
  // <LANES, DESTINATIONS, CHUNK, MAX_TILES>(desc, results of the units, destinations)
  STB_CALL(collect, (stb::collect<stb::UnitLanes<2, 2>, 1, 4, 12>(desc_collect, tiles_0, tiles_1, linear_y)))
}
