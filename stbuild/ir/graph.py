"""The tensor graph: what one token goes through, as blocks of ops on per-token vectors.

Every op makes one value, a vector of `width` int32 elements with `frac` fraction bits, named like
the op. A block runs `count` times; the outputs of one run are the inputs of the next, and the
outputs of its last run are the inputs of the block behind it. docs/numerics.md fixes the arithmetic.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields

from stbuild.ir.derived import Derived
from stbuild.ir.types import ACTIVATION_FRAC

NOT_STORED = {"stored": False}
"""Metadata of a field that stays out of files."""


@dataclass(frozen=True, kw_only=True)
class Param:
    """A weight of one op: one checkpoint tensor per run of the block; used as `scale * w + offset`.

    `shape` is that of the op's weight; the checkpoint holds its transpose if `transposed`.
    """

    names: tuple[str, ...]
    shape: tuple[int, ...]
    scale: float = 1.0
    offset: float = 0.0
    transposed: bool = False


@dataclass(frozen=True, kw_only=True)
class Op:
    """What all ops have: a name, the width of the value made, its fraction bits, and its source.

    `origin` is the module's path; `line`, the model's source line, is not part of the graph's file, so
    that an edit of the model's text that changes no op changes no graph.
    """

    name: str
    width: int
    frac: int = ACTIVATION_FRAC
    origin: str = ""
    line: str = field(default="", compare=False, metadata=NOT_STORED)


@dataclass(frozen=True, kw_only=True)
class Embed(Op):
    """Row `token` of `table` [vocabulary, width]."""

    table: Param


@dataclass(frozen=True, kw_only=True)
class PositionEmbed(Op):
    """Row `position + offset` of `table` [rows, width]."""

    table: Param
    offset: int = 0


@dataclass(frozen=True, kw_only=True)
class Linear(Op):
    """`weight` [width, K] times `x` [K]; after the numerics pass `x` is a `Quantize`."""

    x: str
    weight: Param


@dataclass(frozen=True, kw_only=True)
class Norm(Op):
    """RMS norm, or layer norm if `center`, of each `segment` elements; weight and bias [segment].

    `exact` is the model's own factor as a formula of the mean of squares `x`, where 1 / sqrt(x + eps)
    only stands for it.
    """

    x: str
    segment: int
    eps: float
    center: bool = False
    weight: Param | None = None
    bias: Param | None = None
    exact: str = ""


@dataclass(frozen=True, kw_only=True)
class Map(Op):
    """A function of one variable, `samples` of it at -16, -15.875, ... 16 (257), linear between.

    `formula` is the function itself, of `x` (stbuild/reference/formula.py); empty: what the samples give.
    `bases` and `slopes` (256 each) are its integer table, filled in by the numerics pass.
    """

    x: str
    function: str
    samples: tuple[float, ...]
    formula: str = ""
    bases: tuple[int, ...] = ()
    slopes: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Affine(Op):
    """`scale * x + offset` with numbers; integers as in docs/numerics.md after the numerics pass."""

    x: str
    scale: float
    offset: float = 0.0
    multiplier: int = 0
    shift: int = 0
    addend: int = 0


@dataclass(frozen=True, kw_only=True)
class Add(Op):
    """`a + b`."""

    a: str
    b: str


@dataclass(frozen=True, kw_only=True)
class Mul(Op):
    """`a * b`."""

    a: str
    b: str


@dataclass(frozen=True, kw_only=True)
class AddParam(Op):
    """`x + param` (a bias)."""

    x: str
    param: Param


@dataclass(frozen=True, kw_only=True)
class MulParam(Op):
    """`x * param` (a scale per channel)."""

    x: str
    param: Param


@dataclass(frozen=True, kw_only=True)
class Slice(Op):
    """Elements `start` to `start + width` of `x`; both multiples of 16."""

    x: str
    start: int


@dataclass(frozen=True, kw_only=True)
class Concat(Op):
    """The values of `parts`, one behind the other."""

    parts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Rotary(Op):
    """Rotate the first `rotary_dim` elements of every head by the row of `table` at the position.

    The table's row is cos[rotary_dim] then sin[rotary_dim]; out = x * cos + r * sin. Halves are rotated,
    r = (-x2, x1), as in GPT-NeoX and Llama; `interleaved`: neighbours, r = (-x[1], x[0], -x[3], x[2], ...),
    as in GPT-J. A table may hold several rows side by side: `rows` is which of them each run uses, () the
    only one.
    """

    x: str
    heads: int
    head_dim: int
    rotary_dim: int
    table: str
    interleaved: bool = False
    rows: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Attention(Op):
    """Causal attention of `q` over the KV cache and this token's `k` and `v`.

    A score is `scale` times q.k, then `cap * tanh(score / cap)` if there is a cap, then minus the head's
    slope times the distance (ALiBi). Each query sees the last `windows[run]` positions, its own among them;
    () is all. `sinks` [heads] are scores in base 2 that take part in the softmax without a value.
    """

    q: str
    k: str
    v: str
    heads: int
    kv_heads: int
    head_dim: int
    scale: float
    cap: float = 0.0
    slopes: tuple[float, ...] = ()
    windows: tuple[int, ...] = ()
    sinks: Param | None = None

    def older(self, run: int, position: int) -> int:
        """How many positions before `position` a query there sees in a run."""
        return min(position, self.windows[run] - 1) if self.windows else position


@dataclass(frozen=True, kw_only=True)
class Quantize(Op):
    """int8 with a scale per 32 elements; `frac` is that of `x`. Inserted by the numerics pass."""

    x: str


@dataclass(frozen=True, kw_only=True)
class Rescale(Op):
    """The same number with other fraction bits. Inserted by the numerics pass."""

    x: str


AnyOp = (
    Embed | PositionEmbed | Linear | Norm | Map | Affine | Add | Mul | AddParam | MulParam
    | Slice | Concat | Rotary | Attention | Quantize | Rescale
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Block:
    """Ops that run `count` times for each token, in an order in which each follows its inputs."""

    name: str
    count: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    ops: tuple[AnyOp, ...]

    def op(self, name: str) -> AnyOp:
        """The op that makes value `name`."""
        return next(op for op in self.ops if op.name == name)


@dataclass(frozen=True, kw_only=True)
class PositionTable:
    """Numbers that depend on the position alone, [context, width]; the values lie beside the graph."""

    name: str
    width: int


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A language model: blocks in order, the last of which makes the logits [vocab_size].

    `derived` are the tensors of parameters that no checkpoint holds.
    """

    name: str
    vocab_size: int
    context: int
    blocks: tuple[Block, ...]
    tables: tuple[PositionTable, ...] = ()
    derived: tuple[Derived, ...] = ()


def operands(op: AnyOp) -> tuple[str, ...]:
    """The values that `op` reads, in the order of its fields."""
    match op:
        case Embed() | PositionEmbed():
            return ()
        case Add() | Mul():
            return (op.a, op.b)
        case Concat():
            return op.parts
        case Attention():
            return (op.q, op.k, op.v)
        case _:
            return (op.x,)


def params(op: AnyOp) -> Iterator[tuple[str, Param]]:
    """The weights of `op` with the names of their fields."""
    for each in fields(op):
        value = getattr(op, each.name)
        if isinstance(value, Param):
            yield each.name, value
