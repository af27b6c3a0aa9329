"""Which twins streaming processes have: by the call of hls_lib, module, parameters and buses."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from benchmarks.twins.verilated import TWINS
from stbuild.ir.types import LANES


@dataclass(frozen=True, kw_only=True)
class Twinned:
    """Module, parameters by those of the call, buses that it reads and writes."""

    module: str
    parameters: Callable[[Mapping[str, int]], Mapping[str, int | str]]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    only: Callable[[Mapping[str, int]], bool] = field(default=lambda _: True)


def _words(given: Mapping[str, int]) -> dict[str, int]:
    return {"WORDS": given["RUNS"] * given["WIDTH"] // LANES, "ROLE": given["ROLE"]}


def _norm(given: Mapping[str, int]) -> dict[str, int]:
    return {
        "RUNS": given["RUNS"], "ROLE": given["ROLE"], "WORDS": given["WIDTH"] // LANES, "FOUT": given["FOUT"],
        "EPS": given["EPS"], "CENTER": given["CENTER"], "BIAS": given["HAS_BIAS"],
    }  # fmt: skip


def _norm_fits(given: Mapping[str, int]) -> bool:
    words = given["WIDTH"] // LANES
    whole = given["SEGMENT"] == given["WIDTH"] and words & (words - 1) == 0
    return whole and bool(given["HAS_WEIGHT"]) and given["CENTER"] == given["HAS_BIAS"]


def _rotary(given: Mapping[str, int]) -> dict[str, int]:
    words = {"HEAD_WORDS": given["HEAD_DIM"] // LANES, "ROTARY_WORDS": given["ROTARY_DIM"] // LANES}
    return {name: given[name] for name in ("RUNS", "HEADS", "CHUNK")} | words


def _heads(*names: str) -> Callable[[Mapping[str, int]], dict[str, int]]:
    def parameters(given: Mapping[str, int]) -> dict[str, int]:
        shared = {"SHARED": given["HEADS"] // given["KV_HEADS"]}
        return {name: given[name] for name in ("RUNS", "KV_HEADS", *names)} | shared

    return parameters


def _weights(given: Mapping[str, int]) -> dict[str, int | str]:
    return {**_heads("CHUNK", "CONTEXT")(given), "TABLE": str(TWINS / "power_table.hex")}


STREAMING: Mapping[str, Twinned] = {
    "add": Twinned(module="add_twin", parameters=_words, reads=("cmd", "a", "b"), writes=("y",)),
    "mul": Twinned(
        module="multiply_twin",
        parameters=lambda given: {**_words(given), "SHIFT": given["SHIFT"]},
        reads=("cmd", "a", "b"),
        writes=("y",),
    ),
    "map": Twinned(module="map_twin", parameters=_words, reads=("cmd", "x"), writes=("y",)),
    "quantize": Twinned(module="quantize_twin", parameters=_words, reads=("cmd", "x"), writes=("y",)),
    "norm": Twinned(
        module="norm_twin", parameters=_norm, reads=("cmd", "x", "params"), writes=("y",), only=_norm_fits
    ),
    "fork": Twinned(
        module="move_twin",
        parameters=lambda given: {"WORDS": given["RUNS"] * given["WORDS"], "ROLE": given["ROLE"]},
        reads=("cmd", "x"),
        writes=("y0", "y1"),
    ),
    "rotary": Twinned(
        module="rotary_twin",
        parameters=_rotary,
        reads=("cmd", "x", "rows"),
        writes=("y",),
        only=lambda given: not given["INTERLEAVED"] and given["ROTARY_DIM"] % (2 * LANES) == 0,
    ),
    "attention_scores": Twinned(
        module="scores_twin",
        parameters=_heads("CHUNK", "CONTEXT", "C"),
        reads=("cmd", "products", "dots", "scales", "old_scales"),
        writes=("scores", "tops", "value_scales"),
    ),
    "attention_weights": Twinned(
        module="weights_twin",
        parameters=_weights,
        reads=("cmd", "scores", "tops", "value_scales"),
        writes=("weights", "recent", "totals"),
    ),
    "attention_values": Twinned(
        module="values_twin",
        parameters=_heads("HEAD_DIM", "CHUNK"),
        reads=("cmd", "sums", "recent", "totals", "values"),
        writes=("y",),
    ),
}
"""By function of hls_lib."""
