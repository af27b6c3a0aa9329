// The loop markers: pragmas in synthesis; in emulation what the timed network and the strict mode need.
//
// STB_PIPELINE(ii)   first statement of a loop body: pipelined, stalls as a whole. Such a loop can hold
//                    back its last outputs while its next input is missing; an outer loop that does
//                    nothing else is flattened into it, so that holds across its vectors too.
// STB_FLUSHABLE(ii)  the same with a flushing pipeline: what went in comes out.
// STB_NO_FLATTEN     first statement of an outer loop body: its inner pipeline ends, and so drains, with
//                    each of its iterations.
// STB_UNROLL, STB_INLINE, STB_PARTITION(array, dim)   no effect in emulation.
// STB_TICK(cycles)   this iteration's cycles in the timed network; STB_LATENCY(cycles) from a read to
//                    the writes that depend on it.
#pragma once

#define STB_PRAGMA(text) _Pragma(#text)

#ifdef STB_SYNTHESIS
#define STB_PIPELINE(ii) STB_PRAGMA(HLS PIPELINE II = ii)
#define STB_FLUSHABLE(ii) STB_PRAGMA(HLS PIPELINE II = ii style = flp)
#define STB_NO_FLATTEN STB_PRAGMA(HLS LOOP_FLATTEN off)
#define STB_UNROLL STB_PRAGMA(HLS UNROLL)
#define STB_INLINE STB_PRAGMA(HLS INLINE)
#define STB_PARTITION(array, dimension) STB_PRAGMA(HLS ARRAY_PARTITION variable = array dim = dimension)
#define STB_TICK(cycles)
#define STB_LATENCY(cycles)
#else
#include "../../sim/pipeline.hpp"
#endif
