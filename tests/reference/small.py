"""Small language models as tensor graphs with random weights, in the variants that blocks have."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from stbuild.ir.graph import Block, Graph
from stbuild.ir.op import Op
from stbuild.ir.packed import PackedMatrix
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
from stbuild.passes.numerics import FixNumerics
from stbuild.reference.interpreter import Reference
from tests.reference.float_reference import FloatReference

VOCAB, CONTEXT, LAYERS = 48, 32, 2


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What differs between the blocks of language models."""

    heads: int = 2
    kv_heads: int = 1
    head_dim: int = 32
    group: int = 32
    bits: int = 4
    rotary: int = 32
    center: bool = False
    bias: bool = False
    head_norm: bool = False
    parallel: bool = False
    after_norm: bool = False
    gated: bool = True
    scaled: bool = False
    positions: bool = False
    seed: int = 0

    @property
    def width(self) -> int:
        """The width of the residual stream."""
        return 128


@st.composite
def variants(draw: st.DrawFn) -> Variant:
    """Any variant."""
    heads, kv_heads = draw(st.sampled_from(((1, 1), (2, 1), (2, 2), (4, 2))))
    return Variant(
        heads=heads, kv_heads=kv_heads, head_dim=draw(st.sampled_from((16, 32, 64))) if heads > 1 else 64,
        group=draw(st.sampled_from((32, 64))), bits=draw(st.sampled_from((4, 8))),
        rotary=draw(st.sampled_from((0, 16))), center=draw(st.booleans()), bias=draw(st.booleans()),
        head_norm=draw(st.booleans()), parallel=draw(st.booleans()), after_norm=draw(st.booleans()),
        gated=draw(st.booleans()), scaled=draw(st.booleans()), positions=draw(st.booleans()),
        seed=draw(st.integers(0, 1000)),
    )  # fmt: skip


@dataclass(kw_only=True)
class MemoryTensors:
    """Random tensors, drawn when the graph first names them."""

    variant: Variant
    matrices: dict[str, PackedMatrix] = field(default_factory=dict)
    arrays: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    def matrix(self, name: str) -> PackedMatrix:
        return self.matrices[name]

    def array(self, name: str) -> NDArray[np.float32]:
        return self.arrays[name]

    def rows(self, name: str, start: int, stop: int) -> NDArray[np.float32]:
        return self.arrays[name][start:stop]


@dataclass(kw_only=True)
class Model:
    """A graph under construction with the numbers it needs."""

    variant: Variant
    tensors: MemoryTensors
    rng: np.random.Generator
    ops: list[Op] = field(default_factory=list)
    count: int = 1
    prefix: str = ""

    def add(self, op: Op) -> str:
        self.ops.append(op)
        return op.name

    def param(self, name: str, shape: tuple[int, ...], scale: float, middle: float = 0.0) -> Param:
        names = tuple(f"{self.prefix}{i}.{name}" for i in range(self.count))
        for each in names:
            self.tensors.arrays[each] = (middle + scale * self.rng.normal(size=shape)).astype(np.float32)
        return Param(names=names, shape=shape)

    def linear(self, name: str, x: str, rows: int, cols: int) -> str:
        weight = self.param(f"{name}.weight", (rows, cols), cols**-0.5)
        make = PackedMatrix.affine4 if self.variant.bits == 4 else PackedMatrix.symmetric8
        group = self.variant.group if cols % self.variant.group == 0 else 32
        for each in weight.names:
            self.tensors.matrices[each] = make(self.tensors.arrays.pop(each), group)
        if not self.variant.bias:
            return self.add(Linear(name=name, width=rows, x=x, weight=weight))
        self.add(Linear(name=f"{name}_w", width=rows, x=x, weight=weight))
        bias = self.param(f"{name}.bias", (rows,), 0.1)
        return self.add(AddParam(name=name, width=rows, x=f"{name}_w", param=bias))

    def norm(self, name: str, x: str, width: int, segment: int) -> str:
        weight = self.param(f"{name}.weight", (segment,), 0.2, 1.0)
        bias = self.param(f"{name}.bias", (segment,), 0.1) if self.variant.center else None
        return self.add(Norm(name=name, width=width, x=x, segment=segment, eps=1e-5,
                             center=self.variant.center, weight=weight, bias=bias))  # fmt: skip

    def block(self, name: str, inputs: tuple[str, ...], output: str) -> Block:
        ops, self.ops = tuple(self.ops), []
        return Block(name=name, count=self.count, inputs=inputs, outputs=(output,), ops=ops)


def small_graph(variant: Variant) -> tuple[Graph, MemoryTensors]:
    """A model of two layers, without number formats, and its weights."""
    tensors = MemoryTensors(variant=variant)
    model = Model(variant=variant, tensors=tensors, rng=np.random.default_rng(variant.seed))
    first = model.block("embed", (), _embed(model))
    model.count, model.prefix = LAYERS, "layer"
    layers = model.block("layers", ("x",), _layer(model))
    model.count, model.prefix = 1, "head"
    normed = model.norm("final", "x", variant.width, variant.width)
    head = model.block("head", ("x",), model.linear("logits", normed, VOCAB, variant.width))
    tables = (PositionTable(name="rope", width=2 * variant.rotary),) if variant.rotary else ()
    return Graph(name="small", vocab_size=VOCAB, context=CONTEXT, blocks=(first, layers, head),
                 tables=tables), tensors  # fmt: skip


def references(variant: Variant) -> tuple[Reference, FloatReference]:
    """The same model in exact integers and in floats."""
    graph, tensors = small_graph(variant)
    tables = {"rope": rope(variant.rotary)}
    exact = Reference(graph=FixNumerics()(graph), weights=tensors, tables=tables, wide=True)
    return exact, FloatReference(graph=graph, weights=tensors, tables=tables)


def rope(size: int) -> NDArray[np.float32]:
    """cos and sin of the usual angles, [context, 2 * size]."""
    angles = np.outer(np.arange(CONTEXT), 100.0 ** (-np.arange(0, size, 2) / max(size, 1)))
    angles = np.concatenate((angles, angles), axis=1)
    return np.concatenate((np.cos(angles), np.sin(angles)), axis=1).astype(np.float32)


def samples(function: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> tuple[float, ...]:
    """The 257 samples of a Map."""
    return tuple(float(y) for y in function(np.arange(-128, 129) / 8))


def _embed(model: Model) -> str:
    width = model.variant.width
    x = model.add(Embed(name="tok", width=width, table=model.param("embed", (VOCAB, width), 1.0)))
    if model.variant.positions:
        table = model.param("positions", (CONTEXT, width), 0.3)
        model.add(PositionEmbed(name="pos", width=width, table=table))
        x = model.add(Add(name="tokpos", width=width, a=x, b="pos"))
    if model.variant.scaled:
        x = model.add(Affine(name="scaled", width=width, x=x, scale=11.3, offset=0.05))
    return x


def _layer(model: Model) -> str:
    width = model.variant.width
    mixed = _attend(model, model.norm("n1", "x", width, width))
    if model.variant.parallel:
        mixed = model.add(Add(name="both", width=width, a=mixed, b=_feed(model, "n1")))
        return model.add(Add(name="y", width=width, a=mixed, b="x"))
    h = model.add(Add(name="h", width=width, a="x", b=mixed))
    fed = _feed(model, model.norm("n2", h, width, width))
    return model.add(Add(name="y", width=width, a=fed, b=h))


def _attend(model: Model, x: str) -> str:
    v = model.variant
    wide, narrow = v.heads * v.head_dim, v.kv_heads * v.head_dim
    q, k = model.linear("q", x, wide, v.width), model.linear("k", x, narrow, v.width)
    value = model.linear("v", x, narrow, v.width)
    if v.head_norm:
        q, k = model.norm("qn", q, wide, v.head_dim), model.norm("kn", k, narrow, v.head_dim)
    if v.rotary:
        q, k = _rotary(model, "qr", q, v.heads), _rotary(model, "kr", k, v.kv_heads)
    mixed = model.add(Attention(name="a", width=wide, q=q, k=k, v=value, heads=v.heads, kv_heads=v.kv_heads,
                                head_dim=v.head_dim, scale=v.head_dim**-0.5))  # fmt: skip
    out = model.linear("o", mixed, v.width, wide) if wide != v.width or not v.scaled else mixed
    return model.norm("an", out, v.width, v.width) if v.after_norm else out


def _rotary(model: Model, name: str, x: str, heads: int) -> str:
    size = model.variant.head_dim
    return model.add(Rotary(name=name, width=heads * size, x=x, heads=heads, head_dim=size,
                            rotary_dim=model.variant.rotary, table="rope"))  # fmt: skip


def _feed(model: Model, x: str) -> str:
    v = model.variant
    act = samples(lambda t: t / (1 + np.exp(-t)))
    if not v.gated:
        up = model.linear("up", x, 192, v.width)
        middle = model.add(Map(name="act", width=192, x=up, function="silu", samples=act))
    else:
        up = model.linear("up", x, 384, v.width)
        gate = model.add(Slice(name="gate", width=192, x=up, start=0))
        rest = model.add(Slice(name="rest", width=192, x=up, start=192))
        model.add(Map(name="act", width=192, x=gate, function="silu", samples=act))
        middle = model.add(Mul(name="gated", width=192, a="act", b=rest))
    if v.scaled:
        middle = model.add(MulParam(name="m", width=192, x=middle, param=model.param("m", (192,), 0.1, 1.0)))
        middle = model.add(Concat(name="twice", width=384, parts=(middle, middle)))
        return model.linear("down", middle, v.width, 384)
    return model.linear("down", middle, v.width, 192)
