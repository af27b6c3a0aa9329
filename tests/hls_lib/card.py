"""An attention process with the memory of its KV cache, and what it is given."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from stbuild.ir.fixed import attention_scale
from stbuild.ir.param import Param
from stbuild.ops.attention import Attention
from stbuild.ops.attention_scores import AttentionScores
from tests.hls_lib.numbers import Vector, numbers, vectors, words
from tests.hls_lib.single import LANES, Command, Image, Operator, Words

CHUNK, CONTEXT = 4, 24


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Heads, heads of k and v, their dimension, runs of the block, the scale of the scores."""

    heads: int
    kv_heads: int
    head_dim: int
    runs: int = 1
    scale: float = 0.25
    label: str = "plain"
    cap: float = 0.0
    slopes: tuple[float, ...] = ()
    windows: tuple[int, ...] = ()
    sinks: tuple[tuple[int, ...], ...] = ()

    @property
    def name(self) -> str:
        return f"attention_{self.heads}_{self.kv_heads}_{self.head_dim}_{self.label}"

    @property
    def head_words(self) -> int:
        return -(-self.head_dim // 64)

    @property
    def key_words(self) -> int:
        return self.value_words + -(-self.kv_heads // 16)

    @property
    def value_words(self) -> int:
        return self.kv_heads * self.head_words

    def operator(self) -> Operator:
        sizes = (self.runs, self.heads, self.kv_heads, self.head_dim, CHUNK, CONTEXT)
        scale = attention_scale(self.scale)
        numbers_type = f"stb::Numbers<{', '.join(map(str, self.windows))}>"
        windows = numbers_type if self.windows else "stb::WholeContext"
        types = AttentionScores(attention=self.op()).form, windows
        arguments = ", ".join(map(str, (*sizes, scale, *types)))
        function = "attention_with_sinks" if self.sinks else "attention"
        ports = "iiiiipooo" if self.sinks else "iiiiiooo"
        return Operator(name=self.name, call=f"stb::{function}<{arguments}>", ports=ports)

    def first(self, run: int, position: int) -> int:
        """The first position that a query at `position` sees in a run."""
        return max(0, position + 1 - self.windows[run]) if self.windows else 0

    def sinks_of(self, run: int) -> list[int] | None:
        """The sinks of a run."""
        return list(self.sinks[run]) if self.sinks else None

    def op(self) -> Attention:
        return Attention(
            name="a",
            width=self.heads * self.head_dim,
            q="q",
            k="k",
            v="v",
            heads=self.heads,
            kv_heads=self.kv_heads,
            head_dim=self.head_dim,
            scale=self.scale,
            cap=self.cap,
            slopes=self.slopes,
            windows=self.windows,
            sinks=Param(names=("s",) * self.runs, shape=(self.heads,)) if self.sinks else None,
        )


SHAPES = (
    Shape(heads=4, kv_heads=2, head_dim=16, runs=2),
    Shape(heads=3, kv_heads=1, head_dim=80),
    Shape(heads=2, kv_heads=2, head_dim=128, scale=128**-0.5),
    Shape(heads=20, kv_heads=20, head_dim=16, scale=1.0),
    Shape(heads=3, kv_heads=1, head_dim=64, scale=0.125, runs=2),
    Shape(heads=4, kv_heads=2, head_dim=16, runs=5, label="windows",
          windows=(1, 3, CONTEXT - 1, CONTEXT, 999)),
    Shape(heads=4, kv_heads=1, head_dim=16, label="cap", cap=50.0, scale=1.0),
    Shape(heads=3, kv_heads=3, head_dim=16, label="slopes", slopes=(0.5, 2.0**-8, -0.3)),
    Shape(heads=4, kv_heads=2, head_dim=16, runs=2, label="sinks", sinks=((0, 2**31 - 1, 99999, 1 - 2**31),
                                                                           (-70000, 5, 2**20, -1))),
    Shape(heads=18, kv_heads=9, head_dim=16, runs=2, label="all", scale=1.0, cap=5.0, windows=(5, 2),
          slopes=tuple(2.0 ** -(i / 3) for i in range(18)), sinks=(tuple(range(-9, 9)), tuple(range(18)))),
)  # fmt: skip


@dataclass(kw_only=True)
class Card:
    """One attention process and the memory of its KV cache, run by run."""

    image: Image
    shape: Shape
    turns: int = 1
    keys: list[list[Words]] = field(default_factory=list)
    values: list[list[Words]] = field(default_factory=list)

    def launch(
        self, q: list[list[Vector]], k: list[list[Vector]], v: list[list[Vector]]
    ) -> list[list[Vector]]:
        """The results of all runs for the next tokens; the vectors are indexed by run, then token."""
        shape, tokens, runs = self.shape, len(q[0]), range(self.shape.runs)
        self.keys = self.keys or [[] for _ in runs]
        self.values = self.values or [[] for _ in runs]
        pos = len(self.keys[0])
        firsts = [shape.first(run, pos) for run in runs]
        seen = [[r[i:] for r, i in zip(x, firsts, strict=True)] for x in (self.keys, self.values)]
        memory = [_joined(records) for records in seen]
        sinks = [_padded(shape.sinks)] if shape.sinks else []
        sizes = [shape.key_words, shape.value_words, shape.heads * shape.head_dim // LANES]
        inputs = [*(words(*x) for x in (q, k, v)), *memory, *sinks]
        outputs = [shape.runs * tokens * size for size in sizes]
        command = Command(tokens=tokens, pos=pos)
        key_out, value_out, y = self.image.run(shape.name, command, inputs, outputs, self.turns)
        for run in runs:
            self.keys[run] += list(key_out.reshape(shape.runs, tokens, -1, LANES)[run])
            self.values[run] += list(value_out.reshape(shape.runs, tokens, -1, LANES)[run])
        rows = numbers(y, shape.heads * shape.head_dim)
        return [rows[r * tokens : (r + 1) * tokens] for r in runs]


def _padded(sinks: tuple[tuple[int, ...], ...]) -> Words:
    """The sinks of all runs as words."""
    rows = [np.pad(np.array(run, np.int64), (0, -len(run) % LANES)) for run in sinks]
    return np.concatenate(rows).astype(np.int32).reshape(-1, LANES)


def _joined(records: list[list[Words]]) -> Words:
    flat = [record for run in records for record in run]
    return np.concatenate(flat) if flat else np.zeros((0, LANES), np.int32)


def drawn(shape: Shape, seed: int, length: int) -> tuple[list[list[Vector]], ...]:
    """q, k and v by run and position, every head of a size of its own."""

    def heads(salt: int, count: int) -> Iterator[Vector]:
        for i in range(length):
            parts = vectors(seed + salt + 1000 * i, count, shape.head_dim)
            yield [x for part in parts for x in part]

    def runs(salt: int, count: int) -> list[list[Vector]]:
        return [list(heads(salt + 100_000 * r, count)) for r in range(shape.runs)]

    return runs(0, shape.heads), runs(300, shape.kv_heads), runs(600, shape.kv_heads)
