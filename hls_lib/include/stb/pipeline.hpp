// The loop markers: pragmas in synthesis; in emulation what the timed network and the strict mode need.
//
// STB_PIPELINE(ii)   first statement of a loop body: pipelined, stalls as a whole. Such a loop can hold
//                    back its last outputs while its next input is missing; an outer loop that does
//                    nothing else is flattened into it, so that holds across its vectors too.
// STB_FLUSHABLE(ii)  the same with a flushing pipeline: what went in comes out.
// STB_ENTER(depth)   in front of a pipelined loop of `depth` stages: filled and drained once each time.
// STB_TICK(cycles)   this iteration's cycles in the timed network.
//
// No effect in emulation:
// STB_UNROLL, STB_INLINE
// STB_PARTITION(array, dim)        each element of the dimension has a memory of its own.
// STB_BIND(array, kind)            the kind of its memory: bram, uram or lutram.
// STB_ROM(table)                   a table that is copied until all reads of a cycle have a port.
// STB_MULTIPLY(product, kind)      the operator behind a product: dsp or fabric.
// STB_CHAIN                        sums in the order of the text: each in the DSP of the product that it
// adds. STB_INDEPENDENT(array)           no iteration reads what another one writes. STB_DISTANCE(array,
// iterations)  what an iteration writes is read that many iterations later, or more.
#pragma once

#include "stb/depths.hpp"

#define STB_PRAGMA(text) _Pragma(#text)

#ifdef STB_SYNTHESIS
#define STB_PIPELINE(ii) STB_PRAGMA(HLS PIPELINE II = ii)
#define STB_FLUSHABLE(ii) STB_PRAGMA(HLS PIPELINE II = ii style = flp)
#define STB_UNROLL STB_PRAGMA(HLS UNROLL)
#define STB_INLINE STB_PRAGMA(HLS INLINE)
#define STB_PARTITION(array, dimension) STB_PRAGMA(HLS ARRAY_PARTITION variable = array dim = dimension)
#define STB_BIND(array, kind) STB_PRAGMA(HLS BIND_STORAGE variable = array type = ram_2p impl = kind)
#define STB_ROM(table) STB_PRAGMA(HLS BIND_STORAGE variable = table type = rom_np)
#define STB_MULTIPLY(product, kind) STB_PRAGMA(HLS BIND_OP variable = product op = mul impl = kind)
#define STB_CHAIN STB_PRAGMA(HLS EXPRESSION_BALANCE off)
#define STB_INDEPENDENT(array) STB_PRAGMA(HLS DEPENDENCE variable = array type = inter dependent = false)
#define STB_DISTANCE(array, iterations)                                                                     \
  STB_PRAGMA(HLS DEPENDENCE variable = array type = inter direction = RAW distance = iterations dependent = \
                 true)
#define STB_ENTER(depth)
#define STB_TICK(cycles)
#else
#include "../../sim/pipeline.hpp"
#endif
