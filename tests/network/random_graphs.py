"""Graphs drawn at random: decoders of any width, with parts that no family has together.

Heads and grouped queries, windows, soft caps, slopes and sinks, projections fused or split and in any order,
norms anywhere, gates, concatenations, parallel residuals, several carried values, layers that differ.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

from stbuild.ir.graph import Block, Graph
from stbuild.ir.op import Op
from stbuild.ir.param import Param, PositionTable
from stbuild.ops.add import Add
from stbuild.ops.add_param import AddParam
from stbuild.ops.affine import Affine
from stbuild.ops.attention import Attention
from stbuild.ops.concat import Concat
from stbuild.ops.embed import Embed
from stbuild.ops.linear import Linear
from stbuild.ops.map import Map
from stbuild.ops.mul import Mul
from stbuild.ops.mul_param import MulParam
from stbuild.ops.norm import Norm
from stbuild.ops.position_embed import PositionEmbed
from stbuild.ops.rotary import Rotary
from stbuild.ops.slice import Slice

CONTEXT, VOCABULARY = 104, 96
FUNCTIONS: dict[str, Callable[[float], float]] = {
    "tanh": math.tanh,
    "sigmoid": lambda x: 1.0 / (1.0 + math.exp(-x)),
    "relu": lambda x: max(x, 0.0),
}


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What may be drawn: widths of the residual, of feed-forward parts, heads' sizes, runs of a block."""

    widths: tuple[int, ...]
    inner: tuple[int, ...]
    head_dims: tuple[int, ...]
    heads: tuple[int, ...]
    runs: tuple[int, ...] = (1, 2, 3, 5)

    @property
    def even(self) -> bool:
        """Whether heads may only be drawn that together are a multiple of 32."""
        return all(n % 32 == 0 for n in self.inner)


TINY = Sizes(widths=(32, 64, 96), inner=(32, 96), head_dims=(16, 32), heads=(1, 2, 4), runs=(1, 2, 3))
ODD = Sizes(widths=(36, 50, 100), inner=(30, 45, 172), head_dims=(8, 20, 24), heads=(1, 3, 4), runs=(1, 2, 3))
WIDE = Sizes(widths=(256,), inner=(512,), head_dims=(32, 64), heads=(4, 8), runs=(2,))
ANY = Sizes(
    widths=(32, 64, 128, 256, 384, 768, 1024, 2048),
    inner=(32, 64, 160, 512, 1024, 2816),
    head_dims=(16, 32, 64, 80, 128),
    heads=(1, 2, 3, 4, 8, 12, 16),
    runs=(1, 2, 3, 5, 12),
)


def random_graph(seed: int, sizes: Sizes = ANY) -> Graph:
    """The graph of a seed: a prologue, one to three blocks of layers, a head."""
    random = Random(seed)
    width = random.choice(sizes.widths)
    carried = random.choice((1, 1, 1, 2, 3))
    blocks = [_prologue(random, width, carried)]
    parts = range(random.choice((1, 1, 2, 3)))
    blocks += [_layers(random, f"part_{number}", width, carried, sizes) for number in parts]
    blocks.append(_head(random, width, carried))
    rotary, rows = min(random.choice((8, 16)), *sizes.head_dims), random.choice((1, 2))
    rotates = any(isinstance(op, Rotary) for block in blocks for op in block.ops)
    tables = (PositionTable(name="rotary", width=2 * rotary * rows),) if rotates else ()
    shared = tuple(_sharing_a_table(block, random, rotary, rows) for block in blocks)
    return Graph(name="drawn", vocab_size=VOCABULARY, context=CONTEXT, blocks=shared, tables=tables)


def _sharing_a_table(block: Block, random: Random, rotary_dim: int, rows: int) -> Block:
    """All ops that rotate share a table for `rotary_dim` elements; of several rows each run has its own."""

    def shared(op: Op) -> Op:
        if not isinstance(op, Rotary):
            return op
        chosen = tuple(random.randrange(rows) for _ in range(block.count)) if rows > 1 else ()
        return replace(op, rotary_dim=rotary_dim, rows=chosen)

    return replace(block, ops=tuple(map(shared, block.ops)))


@dataclass(kw_only=True)
class _Builder:
    """Ops of one block so far, and how wide each value is."""

    random: Random
    block: str
    count: int = 1
    ops: list[Op] = field(default_factory=list)
    widths: dict[str, int] = field(default_factory=dict)

    def add(self, op: Op) -> str:
        self.ops.append(op)
        self.widths[op.name] = op.width
        return op.name

    def fresh(self, kind: str) -> str:
        return f"{kind}_{len(self.ops)}"

    def param(self, name: str, *shape: int, shared: bool = False) -> Param:
        runs = range(self.count)
        names = tuple(f"{self.block}.{0 if shared else run}.{name}" for run in runs)
        return Param(names=names, shape=shape)

    def sometimes(self, chance: float) -> bool:
        return self.random.random() < chance

    def embed(self, width: int, by_token: bool = True, shared: bool = False) -> str:
        name = self.fresh("embed")
        kind = Embed if by_token else PositionEmbed
        rows = VOCABULARY if by_token else CONTEXT
        return self.add(kind(name=name, width=width, table=self.param(name, rows, width, shared=shared)))

    def linear(self, x: str, width: int) -> str:
        name = self.fresh("linear")
        made = self.add(Linear(name=name, width=width, x=x, weight=self.param(name, width, self.widths[x])))
        return self.bias(made) if self.sometimes(0.3) else made

    def bias(self, x: str) -> str:
        name, width = self.fresh("bias"), self.widths[x]
        if self.sometimes(0.8):
            return self.add(AddParam(name=name, width=width, x=x, param=self.param(name, width)))
        return self.add(MulParam(name=name, width=width, x=x, param=self.param(name, width)))

    def norm(self, x: str, segment: int = 0, rms: bool = False) -> str:
        name, width = self.fresh("norm"), self.widths[x]
        size = segment or width
        weight = self.param(f"{name}.w", size) if self.sometimes(0.7) else None
        bias = self.param(f"{name}.b", size) if self.sometimes(0.3) else None
        center = self.sometimes(0.5) and not rms
        made = Norm(name=name, width=width, x=x, segment=size, eps=1e-5, center=center)
        return self.add(replace(made, weight=weight, bias=bias))

    def maybe_norm(self, x: str, chance: float = 0.6, segment: int = 0, rms: bool = False) -> str:
        return self.norm(x, segment, rms) if self.sometimes(chance) else x

    def map(self, x: str) -> str:
        function = self.random.choice(tuple(FUNCTIONS))
        samples = tuple(FUNCTIONS[function](-16 + i / 8) for i in range(257))
        name = self.fresh("map")
        return self.add(Map(name=name, width=self.widths[x], x=x, function=function, samples=samples))

    def affine(self, x: str) -> str:
        scale = self.random.choice((0.5, -1.25, 0.7))
        return self.add(
            Affine(name=self.fresh("affine"), width=self.widths[x], x=x, scale=scale, offset=0.25)
        )

    def sum(self, a: str, b: str) -> str:
        return self.add(Add(name=self.fresh("add"), width=self.widths[a], a=a, b=b))

    def product(self, a: str, b: str) -> str:
        return self.add(Mul(name=self.fresh("mul"), width=self.widths[a], a=a, b=b))

    def concat(self, *parts: str) -> str:
        width = sum(self.widths[p] for p in parts)
        return self.add(Concat(name=self.fresh("concat"), width=width, parts=parts))

    def slice(self, x: str, start: int, width: int) -> str:
        return self.add(Slice(name=self.fresh("slice"), width=width, x=x, start=start))

    def projections(self, x: str, widths: tuple[int, ...]) -> list[str]:
        """A value of each width out of `x`: linear ops in some order, or slices of one."""
        order = list(range(len(widths)))
        self.random.shuffle(order)
        if self.sometimes(0.5):
            made = {i: self.linear(x, widths[i]) for i in order}
            return [made[i] for i in range(len(widths))]
        whole, at, parts = self.linear(x, sum(widths)), 0, {}
        starts = {}
        for i in order:
            starts[i], at = at, at + widths[i]
        self.random.shuffle(order)
        for i in order:
            parts[i] = self.slice(whole, starts[i], widths[i])
        return [parts[i] for i in range(len(widths))]

    def attention(self, x: str, sizes: Sizes) -> str:
        """Attention over `x` and its output projection."""
        dim = self.random.choice(sizes.head_dims)
        heads = self.random.choice(sizes.heads)
        while sizes.even and heads * dim % 32:
            heads *= 2
        kv = self.random.choice([n for n in range(1, heads + 1) if heads % n == 0])
        gated = self.sometimes(0.2)
        wanted = (heads * dim, kv * dim, kv * dim, *((heads * dim,) if gated else ()))
        q, k, v, *gate = self.projections(x, wanted)
        if self.sometimes(0.3):
            q, k = self.norm(q, dim), self.norm(k, dim)
        if self.sometimes(0.6):
            q, k = self.rotary(q, heads, dim), self.rotary(k, kv, dim)
        if self.sometimes(0.2):
            v = self.sum(v, self.embed(kv * dim, shared=self.sometimes(0.3)))
        if self.sometimes(0.2):
            v = self.maybe_norm(v, segment=dim)
        y = self.add(
            Attention(
                name=self.fresh("attention"), width=heads * dim, q=q, k=k, v=v, heads=heads, kv_heads=kv,
                head_dim=dim, scale=dim**-0.5, cap=3.0 if self.sometimes(0.2) else 0.0,
                slopes=tuple(2.0**-h for h in range(heads)) if self.sometimes(0.2) else (),
                windows=self.windows() if self.sometimes(0.4) else (),
                sinks=self.param(self.fresh("sinks"), heads) if self.sometimes(0.2) else None,
            )
        )  # fmt: skip
        y = self.product(y, self.map(gate[0])) if gate else y
        return self.linear(self.maybe_norm(y, 0.2, rms=not sizes.even), self.widths[x])

    def windows(self) -> tuple[int, ...]:
        """How many positions each run sees: all runs the same, or each its own."""
        choices = (1, 9, 40, CONTEXT)
        if self.sometimes(0.5):
            return self.count * (self.random.choice(choices),)
        return tuple(self.random.choice(choices) for _ in range(self.count))

    def rotary(self, x: str, heads: int, dim: int) -> str:
        interleaved = self.sometimes(0.3)
        return self.add(
            Rotary(
                name=self.fresh("rotary"), width=heads * dim, x=x, heads=heads, head_dim=dim, rotary_dim=8,
                table="rotary", interleaved=interleaved,
            )
        )  # fmt: skip

    def feed_forward(self, x: str, sizes: Sizes) -> str:
        inner = self.random.choice(sizes.inner)
        match self.random.choice(("plain", "gated", "gated", "both")):
            case "plain":
                y = self.map(self.linear(x, inner))
            case "gated":
                gate, up = self.projections(x, (inner, inner))
                y = self.product(self.map(gate), up)
            case _:
                left, right = self.projections(x, (inner, inner))
                y = self.concat(self.map(left), right)
        rms = y.startswith("concat") and inner % 16 != 0  # a layer norm would have zeros within
        return self.linear(self.maybe_norm(y, 0.2, rms=rms), self.widths[x])


def _prologue(random: Random, width: int, carried: int) -> Block:
    made = _Builder(random=random, block="prologue")
    x = made.embed(width)
    if made.sometimes(0.4):
        x = made.sum(x, made.embed(width, by_token=False))
    x = made.maybe_norm(x, 0.3)
    outputs = [x, *(made.affine(x) if made.sometimes(0.5) else x for _ in range(carried - 1))]
    return Block(name="prologue", count=1, inputs=(), outputs=tuple(outputs), ops=tuple(made.ops))


def _layers(random: Random, name: str, width: int, carried: int, sizes: Sizes) -> Block:
    """A block whose first carried value is the residual; the others go along, or change too."""
    made = _Builder(random=random, block=name, count=random.choice(sizes.runs))
    inputs = tuple(f"hidden_{slot}" for slot in range(carried))
    made.widths.update(dict.fromkeys(inputs, width))
    values = list(inputs)
    if made.sometimes(0.15):
        values[0] = made.sum(values[0], made.embed(width, shared=made.sometimes(0.5)))
    if made.sometimes(0.1):
        values[0] = made.sum(values[0], made.embed(width, by_token=False))
    kinds = random.choices(("attention", "feed_forward"), k=random.choice((1, 2, 2, 3)))
    parallel = made.sometimes(0.3)
    branches = []
    for kind in kinds:
        x = made.maybe_norm(values[0] if not parallel else inputs[0])
        x = made.sum(x, random.choice(inputs)) if made.sometimes(0.2) else x
        y = made.attention(x, sizes) if kind == "attention" else made.feed_forward(x, sizes)
        y = made.maybe_norm(y, 0.25)
        y = made.affine(y) if made.sometimes(0.15) else y
        branches.append(y)
        values[0] = made.sum(values[0], y) if not made.sometimes(0.08) else y
    for slot in range(1, carried):
        if made.sometimes(0.3):
            values[slot] = made.sum(values[slot], random.choice(branches))
    outputs = tuple(values) if not made.sometimes(0.1) else tuple(reversed(values))
    return Block(name=name, count=made.count, inputs=inputs, outputs=outputs, ops=tuple(made.ops))


def _head(random: Random, width: int, carried: int) -> Block:
    made = _Builder(random=random, block="head")
    inputs = tuple(f"hidden_{slot}" for slot in range(carried))
    made.widths.update(dict.fromkeys(inputs, width))
    x = inputs[0]
    for other in inputs[1:]:
        x = made.sum(x, other) if made.sometimes(0.5) else x
    x = made.maybe_norm(x, 0.8)
    name = made.fresh("logits")
    y = made.add(Linear(name=name, width=VOCABULARY, x=x, weight=made.param(name, VOCABULARY, width)))
    y = made.map(y) if made.sometimes(0.2) else y
    return Block(name="head", count=1, inputs=inputs, outputs=(y,), ops=tuple(made.ops))
