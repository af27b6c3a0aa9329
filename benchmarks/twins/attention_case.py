"""Launches of the processes of attention, at the sizes of SmolLM2: three heads of q share one of k and v."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.twins.comparison import COMMAND, Case, Generator, Traffic
from benchmarks.twins.verilated import Bytes, Port
from stbuild.ir.kv import BLOCK, KvHeads
from stbuild.ops import attention_hardware

RUNS, HEADS, KV_HEADS, HEAD_DIM, CHUNK, CONTEXT = 2, 9, 3, 64, 8, 1024
SHARED = HEADS // KV_HEADS
C = 189097
KV = KvHeads(heads=HEADS, kv_heads=KV_HEADS, head_dim=HEAD_DIM)
LAUNCHES = ((3, 130), (1, 300), (8, 64), (1, 351), (5, 27))
"""Tokens and position."""
UNSEEN = -(2**31)


class Launch:
    """Sizes of a launch that `rng` draws."""

    def __init__(self, rng: Generator) -> None:
        self.tokens, self.pos = LAUNCHES[rng.integers(0, len(LAUNCHES))]
        self.blocks, old = divmod(self.pos, BLOCK)
        self.recents = old + self.tokens
        self.recent_words = -(-self.recents // 16)
        self.words = 2 * self.blocks + self.recent_words
        self.rows = self.tokens * SHARED

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Of the recent words of all rows: whether a lane is of a position that its row sees."""
        own = self.recents - self.tokens + np.repeat(np.arange(self.tokens), SHARED)
        lanes = np.arange(16 * self.recent_words) <= own[:, None]
        return np.tile(lanes.reshape(-1, 16), (RUNS * KV_HEADS, 1))

    @property
    def command(self) -> Bytes:
        """The word of its stream."""
        return np.array([[self.tokens | self.pos << 32]], np.uint64).view(np.uint8)


def words_of(lanes: NDArray[Any]) -> Bytes:
    """int32 lanes as words."""
    return np.ascontiguousarray(lanes, np.int32).view(np.uint8).reshape(-1, 64)


def scale_lanes(rng: Generator, count: int) -> NDArray[np.int32]:
    """m and e of a key, m and e of a value."""
    mantissas, exponents = rng.integers(128, 256, (2, count)), rng.integers(0, 25, (2, count))
    lanes = mantissas[0] | exponents[0] << 8 | mantissas[1] << 16 | exponents[1] << 24
    return np.asarray(lanes, np.int32)


def scored(rng: Generator) -> Traffic:
    """Dot products of all sizes with scales of all sizes."""
    launch = Launch(rng)
    heads = RUNS * KV_HEADS
    limit = HEAD_DIM * 127 * 127
    bits = rng.integers(0, 21, (heads * launch.rows * launch.words, 1))
    dots = rng.integers(-limit, limit + 1, (len(bits), 16)) >> bits
    dots[rng.random(len(dots)) < 0.1] = rng.choice([-limit, limit])
    dots = dots.reshape(-1, launch.words, 16)
    row_words = -(-launch.rows // 16)
    rows = scale_lanes(rng, heads * row_words * 16).reshape(heads, row_words, 16) & 0xFFFF
    positions = scale_lanes(rng, heads * launch.words * 16).reshape(heads, launch.words, 16)
    old = 2 * launch.blocks
    scales = np.concatenate([rows, positions[:, old:]], axis=1)
    return Traffic(
        inputs=(
            launch.command, words_of(dots[:, :old]), words_of(dots[:, old:]), words_of(scales),
            words_of(positions[:, :old]),
        ),
        outputs=(len(bits), heads * launch.rows, heads * launch.words),
    )  # fmt: skip


def valued(rng: Generator) -> Traffic:
    """Weights up to the position of each row, totals of all sizes, and the engine's sums for each byte."""
    launch = Launch(rng)
    heads, words = RUNS * KV_HEADS, HEAD_DIM // 16
    rows = heads * launch.rows
    weights = rng.integers(0, 2**24, (rows * launch.recent_words, 16)) >> rng.integers(0, 24, (1, 16))
    weights[rng.random(len(weights)) < 0.1] = 65536 * 255
    weights[~launch.seen] = 0
    totals = np.zeros((rows, 16), np.int64)
    sizes = rng.integers(16, 32, rows)
    totals[:, 0] = np.minimum((1 << sizes) + rng.integers(0, 1 << 31, rows) % (1 << sizes), 2**32 - 1)
    totals[rng.random(rows) < 0.1, 0] = 65536
    totals[:, 2] = rng.integers(0, 25, rows)
    slices = rows * 3 * words if launch.blocks else 0
    sums = rng.integers(-(2**31), 2**31, (slices, 16)) >> rng.integers(0, 24, (slices, 1))
    values = rng.integers(-127, 128, (heads * launch.recents, HEAD_DIM)).astype(np.int8)
    values[rng.random(len(values)) < 0.1] = 127
    return Traffic(
        inputs=(
            launch.command, words_of(sums), words_of(weights),
            words_of(totals.astype(np.uint32).view(np.int32)), values.view(np.uint8).reshape(-1, 64),
        ),
        outputs=(rows * words,),
    )  # fmt: skip


def weighed(rng: Generator) -> Traffic:
    """Scores below the greatest one of their row, some of them unseen, and sinks."""
    launch = Launch(rng)
    heads = RUNS * KV_HEADS
    rows = heads * launch.rows
    tops = np.zeros((rows, 16), np.int64)
    tops[:, 0] = rng.integers(-(2**30), 2**30, rows)
    tops[:, 1] = rng.integers(0, 25, rows)
    tops[:, 2] = tops[:, 0] - rng.integers(0, 2**20, rows)
    tops[:, 3] = rng.integers(0, 2, rows)
    below = rng.integers(0, 2**21, (rows, launch.words, 16)) >> rng.integers(0, 22, (rows, launch.words, 16))
    scores = tops[:, :1, None] - below
    scores[rng.random(scores.shape) < 0.1] = UNSEEN
    scales = scale_lanes(rng, heads * launch.words * 16)
    weights = rows * 3 * launch.blocks
    return Traffic(
        inputs=(launch.command, words_of(scores), words_of(tops), words_of(scales)),
        outputs=(weights, rows * launch.recent_words, rows),
    )


def _into(*names: str) -> tuple[Port, ...]:
    return tuple(Port(name=name, into_twin=True) for name in names)


def _out(*names: str) -> tuple[Port, ...]:
    return tuple(Port(name=name, into_twin=False) for name in names)


SHAPE = f"{RUNS}, {HEADS}, {KV_HEADS}"
SCORES = Case(
    name="scores",
    module="scores_twin",
    parameters={
        "RUNS": RUNS, "KV_HEADS": KV_HEADS, "SHARED": SHARED, "CHUNK": CHUNK, "CONTEXT": CONTEXT, "C": C,
    },
    ports=(
        COMMAND, *_into("products", "dots", "scales", "old_scales"), *_out("scores", "tops", "value_scales"),
    ),
    call=f"stb::attention_scores<{SHAPE}, {CHUNK}, {CONTEXT}, {C}>",
    prelude='#include "stb/attention_scores.hpp"',
    traffic=scored,
    hardware=attention_hardware.scores(
        CONTEXT, CHUNK, rows=CHUNK * SHARED, scale=C.bit_length(), cap=False, slopes=False
    ),
)  # fmt: skip
VALUES = Case(
    name="values",
    module="values_twin",
    parameters={
        "RUNS": RUNS, "KV_HEADS": KV_HEADS, "SHARED": SHARED, "HEAD_DIM": HEAD_DIM, "CHUNK": CHUNK,
    },
    ports=(COMMAND, *_into("sums", "recent", "totals", "values"), *_out("y")),
    call=f"stb::attention_values<{SHAPE}, {HEAD_DIM}, {CHUNK}>",
    prelude='#include "stb/attention_values.hpp"',
    traffic=valued,
    hardware=attention_hardware.values(KV, CHUNK),
)  # fmt: skip
WEIGHTS = Case(
    name="weights",
    module="weights_twin",
    parameters={
        "RUNS": RUNS, "KV_HEADS": KV_HEADS, "SHARED": SHARED, "CHUNK": CHUNK, "CONTEXT": CONTEXT,
    },
    ports=(
        COMMAND, *_into("scores", "tops", "value_scales"), *_out("weights", "recent", "totals"),
    ),
    call=f"stb::attention_weights<{SHAPE}, {CHUNK}, {CONTEXT}>",
    prelude='#include "stb/attention_weights.hpp"',
    traffic=weighed,
    hardware=attention_hardware.weights(CONTEXT, CHUNK),
)  # fmt: skip
