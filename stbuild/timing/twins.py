"""Which loops of hls_lib a twin in rtl_lib/twins confirms: II and depth, chosen before it was written."""

from collections.abc import Mapping

from stbuild.timing.twin import Loop, Twin

PRODUCT = (("factors into the blocks", 1), ("product", 1), ("its two halves in cascade", 2))
"""32 by up to 27 bits; a wider second factor needs one sum more."""
ROUND = (("rounding", 1), ("saturation and write", 1))

TWINS: tuple[Twin, ...] = (
    Twin(
        module="move_twin",
        confirmed=True,
        functions=("fork", "slice", "concat", "loop_head", "loop_tail", "take_last"),
        loops=(Loop(depth="kMoveDepth", ii=1, stages=(("read", 1), ("write", 1))),),
    ),
    Twin(
        module="add_twin",
        confirmed=True,
        functions=("add", ),
        loops=(
            Loop(
                depth="kAddDepth",
                ii=1,
                stages=(("read", 1), ("sum", 1), ("saturation and write", 1)),
            ),
        ),
    ),
    Twin(
        module="add_param_twin",
        confirmed=True,
        functions=("add_param",),
        loops=(
            Loop(
                depth="kAddParamDepth",
                ii=1,
                stages=(("read", 1), ("parameters' memory", 2), ("sum", 1), ("saturation and write", 1)),
            ),
        ),
    ),
    Twin(
        module="argmax_twin",
        confirmed=True,
        functions=("argmax",),
        loops=(Loop(depth="kAddDepth", ii=1, stages=(("read", 1), ("best of a lane", 1), ("write", 1))),),
    ),
    Twin(
        module="multiply_twin",
        confirmed=True,
        functions=("mul", "affine", "rescale"),
        loops=(
            Loop(
                depth="kMultiplyDepth",
                ii=1,
                stages=(("read", 1), *PRODUCT, ("sum of the halves", 1), *ROUND),
            ),
        ),
    ),
    Twin(
        module="map_twin",
        confirmed=True,
        functions=("map",),
        loops=(
            Loop(
                depth="kMapDepth",
                ii=1,
                stages=(
                    ("read", 1), ("distance from the left end", 1), ("piece and rest", 1), ("tables", 1),
                    *PRODUCT, ("sum of the halves", 1), ("shift", 1), ("base", 1),
                    ("saturation and write", 1),
                ),
            ),
        ),
    ),
    Twin(
        module="rotary_twin",
        confirmed=True,
        functions=("rotary",),
        loops=(
            Loop(depth="kMoveDepth", ii=1, stages=(("read", 1), ("write of the row", 1))),
            Loop(
                depth="kRotaryDepth",
                ii=1,
                stages=(
                    ("read", 1), ("head and row", 1), ("partner's sign", 1), ("factors into the blocks", 1),
                    ("product", 1), ("four products in cascade", 4), *ROUND,
                ),
            ),
        ),
    ),
    Twin(
        module="quantize_twin",
        confirmed=True,
        functions=("quantize",),
        loops=(
            Loop(
                depth="kQuantizeDepth",
                ii=2,
                stages=(
                    ("read of two words", 2), ("magnitudes", 1), ("larger of the two words", 1),
                    ("largest of 16", 4), ("above 127", 1), ("product by 1/127", 4), ("sum of the halves", 1),
                    ("q", 1), ("bit length", 1), ("mantissa", 2), ("reciprocal", 1), *PRODUCT, ("shifts", 2),
                    *ROUND,
                ),
            ),
        ),
    ),
    Twin(
        module="norm_twin",
        confirmed=True,
        functions=("norm", "centred norm"),
        loops=(
            Loop(
                depth="kAddDepth",
                ii=1,
                stages=(("bias or sum", 1), ("rounding", 1), ("saturation and write", 1)),
            ),
            Loop(
                depth="kNormTakeDepth",
                ii=1,
                stages=(("read", 1), ("magnitudes", 1), ("trees over 16 lanes", 4), ("segment so far", 1)),
            ),
            Loop(
                depth="kNormSquareDepth",
                ii=1,
                stages=(
                    ("vector's memory", 2), ("excess bits", 1), *PRODUCT, ("tree over 16 lanes", 4),
                    ("segment so far, in two halves", 2),
                ),
            ),
            Loop(depth="kStepDepth", ii=1, stages=(("difference, kept if not negative", 1), ("quotient", 1))),
            Loop(
                depth="kNormShiftDepth",
                ii=1,
                stages=(("EPS", 2), ("bit length", 2), ("shift", 2)),
            ),
            Loop(
                depth="kNormGiveDepth",
                ii=1,
                stages=(
                    ("vector's memory", 2), *PRODUCT, ("shifts", 3), ("rounding", 1), *PRODUCT,
                    ("sum of the halves", 1), ("rounding", 1), ("bias", 1), ("saturation and write", 1),
                ),
            ),
        ),
    ),
    Twin(
        module="read_twin",
        confirmed=True,
        functions=("read_weights", "read_kv", "read_params"),
        loops=(
            Loop(
                depth="kReadDepth",
                ii=1,
                stages=(("request", 1), ("beat of the bus", 1), ("FIFO", 1), ("write", 1)),
            ),
        ),
    ),
    Twin(
        module="sequence_twin",
        confirmed=True,
        functions=("sequence",),
        loops=(
            Loop(depth="kMoveDepth", ii=1, stages=(("beat of the bus", 1), ("write of the word", 1))),
            Loop(
                depth="kMultiplyDepth",
                ii=8,
                stages=(
                    ("read", 1), ("window", 1), ("first block", 1), ("blocks, first tile", 1),
                    ("product by one over the channels", 3), ("channel and write", 1),
                ),
            ),
        ),
    ),
    Twin(
        module="collect_twin",
        confirmed=True,
        functions=("collect",),
        loops=(
            Loop(depth="kMoveDepth", ii=1, stages=(("read", 1), ("write", 1))),
            Loop(depth="kStoreDepth", ii=1, stages=(("address", 1), ("memory", 2), ("write", 1))),
        ),
    ),
    Twin(
        module="merge_twin",
        confirmed=True,
        functions=("merge",),
        loops=(Loop(depth="kMoveDepth", ii=1, stages=(("read", 1), ("write", 1))),),
    ),
    Twin(
        module="fan_twin",
        confirmed=True,
        functions=("act_fan",),
        loops=(Loop(depth="kMoveDepth", ii=1, stages=(("read", 1), ("write", 1))),),
    ),
    Twin(
        module="dispatch_twin",
        confirmed=True,
        functions=("dispatch",),
        loops=(
            Loop(
                depth="kPrepareDepth",
                ii=1,
                stages=(
                    ("read", 1), ("vector's memory", 3), ("sums of four values", 1),
                    ("sums of sixteen, the scale's shift", 1), ("sum of all", 1), ("write", 1),
                ),
            ),
        ),
    ),
    Twin(
        module="scores_twin",
        confirmed=True,
        functions=("attention_scores",),
        loops=(
            Loop(depth="kMoveDepth", ii=1, stages=(("read", 1), ("write of the scales", 1))),
            Loop(
                depth="kScoreDepth",
                ii=1,
                stages=(
                    ("read", 1), ("scales' memory", 2), ("product by m", 3),
                    ("product by the row's factor", 4), ("shift", 2), ("rounding", 1),
                    ("saturation and write of the score", 1), ("largest of 16 lanes", 4),
                    ("largest so far", 1), ("write", 1),
                ),
            ),
        ),
    ),
    Twin(
        module="weights_twin",
        confirmed=True,
        functions=("attention_weights",),
        loops=(
            Loop(
                depth="kWeighDepth",
                ii=1,
                stages=(
                    ("read", 1), ("distance from the top", 1), ("table", 1), ("rise", 1), ("product", 3),
                    ("power", 1), ("shift", 2), ("product by m", 3), ("shift", 2), ("memory of rows", 2),
                    ("byte of the weight and write", 1),
                ),
            ),
        ),
    ),
    Twin(
        module="values_twin",
        confirmed=True,
        functions=("attention_values",),
        loops=(
            Loop(depth="kMoveDepth", ii=1, stages=(("read", 1), ("write of the value", 1))),
            Loop(
                depth="kValueDepth",
                ii=1,
                stages=(
                    ("read", 1), ("bit length of the total", 2), ("shift", 2), ("quotient", 18),
                    ("reciprocal", 1), ("factors into the blocks", 1), ("product", 1),
                    ("its three parts in cascade", 3), ("shift", 3), ("rounding", 1),
                    ("saturation and write", 1),
                ),
            ),
            Loop(depth="kStoreDepth", ii=1, stages=(("address", 1), ("memory", 2), ("write", 1))),
        ),
    ),
    Twin(
        module="lane_twin",
        confirmed=True,
        functions=("mac_lane",),
        loops=(
            Loop(depth="kMoveDepth", ii=1, stages=(("read", 1), ("write of the activation", 1))),
            Loop(
                depth="kLaneDepth",
                ii=1,
                stages=(
                    ("read", 1), ("words of a later pass, activations", 2), ("row and column", 1),
                    ("sums of a tile, once the last are in", 22), ("token", 1), ("shifts to either side", 4),
                    ("rounding", 1), ("saturation", 1), ("write", 1),
                ),
            ),
        ),
    ),
)  # fmt: skip


def confirmed_functions() -> Mapping[str, str]:
    """The hls_lib functions whose cycles a twin confirms, with the twin's name."""
    return {function: twin.module for twin in TWINS if twin.confirmed for function in twin.functions}
