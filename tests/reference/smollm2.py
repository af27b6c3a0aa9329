"""SmolLM2 as a hand-written tensor graph with its GGUF weights: independent of the frontend."""

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, ReaderTensor
from numpy.typing import NDArray

from stbuild.ir.graph import Block, Graph
from stbuild.ir.packed import PackedMatrix
from stbuild.ir.param import Param, PositionTable
from stbuild.ops.add import Add
from stbuild.ops.attention import Attention
from stbuild.ops.embed import Embed
from stbuild.ops.linear import Linear
from stbuild.ops.map import Map
from stbuild.ops.mul import Mul
from stbuild.ops.norm import Norm
from stbuild.ops.rotary import Rotary

LAYERS, WIDTH, FFN, HEADS, KV_HEADS, HEAD_DIM, VOCAB = 30, 576, 1536, 9, 3, 64, 49152
EPS, THETA = 1e-5, 1e5


def silu_samples() -> tuple[float, ...]:
    """SiLU at -16, -15.875, ... 16."""
    x = np.arange(-128, 129) / 8
    return tuple(float(v) for v in x / (1 + np.exp(-x)))


def smollm2_graph(context: int = 2048) -> Graph:
    """The tensor graph without number formats."""

    def param(name: str, *shape: int) -> Param:
        return Param(names=tuple(f"blk.{i}.{name}.weight" for i in range(LAYERS)), shape=shape)

    def linear(name: str, x: str, tensor: str, rows: int, cols: int) -> Linear:
        return Linear(name=name, width=rows, x=x, weight=param(tensor, rows, cols))

    def norm(name: str, x: str, weight: Param) -> Norm:
        return Norm(name=name, width=WIDTH, x=x, segment=WIDTH, eps=EPS, weight=weight)

    def rope(name: str, x: str, heads: int) -> Rotary:
        return Rotary(name=name, width=heads * HEAD_DIM, x=x, heads=heads, head_dim=HEAD_DIM,
                      rotary_dim=HEAD_DIM, table="rope")  # fmt: skip

    kv = KV_HEADS * HEAD_DIM
    table = Param(names=("token_embd.weight",), shape=(VOCAB, WIDTH))
    layer = Block(name="layers", count=LAYERS, inputs=("x",), outputs=("y",), ops=(
        norm("n1", "x", param("attn_norm", WIDTH)),
        linear("q", "n1", "attn_q", WIDTH, WIDTH),
        linear("k", "n1", "attn_k", kv, WIDTH),
        linear("v", "n1", "attn_v", kv, WIDTH),
        rope("qr", "q", HEADS), rope("kr", "k", KV_HEADS),
        Attention(name="a", width=WIDTH, q="qr", k="kr", v="v", heads=HEADS, kv_heads=KV_HEADS,
                  head_dim=HEAD_DIM, scale=HEAD_DIM**-0.5),
        linear("o", "a", "attn_output", WIDTH, WIDTH),
        Add(name="h", width=WIDTH, a="x", b="o"),
        norm("n2", "h", param("ffn_norm", WIDTH)),
        linear("gate", "n2", "ffn_gate", FFN, WIDTH),
        linear("up", "n2", "ffn_up", FFN, WIDTH),
        Map(name="act", width=FFN, x="gate", function="silu", samples=silu_samples()),
        Mul(name="m", width=FFN, a="act", b="up"),
        linear("down", "m", "ffn_down", WIDTH, FFN),
        Add(name="y", width=WIDTH, a="h", b="down"),
    ))  # fmt: skip
    final = Param(names=("output_norm.weight",), shape=(WIDTH,))
    return Graph(name="smollm2", vocab_size=VOCAB, context=context, blocks=(
        Block(name="embed", count=1, inputs=(), outputs=("x",), ops=(
            Embed(name="x", width=WIDTH, table=table),)),
        layer,
        Block(name="head", count=1, inputs=("x",), outputs=("logits",), ops=(
            norm("nf", "x", final), Linear(name="logits", width=VOCAB, x="nf", weight=table))),
    ), tables=(PositionTable(name="rope", width=2 * HEAD_DIM),))  # fmt: skip


def rope_table(context: int = 2048) -> NDArray[np.float32]:
    """cos and sin [context, 128] in the layout of Rotary."""
    angles = np.outer(np.arange(context), THETA ** (-np.arange(0, HEAD_DIM, 2) / HEAD_DIM))
    angles = np.concatenate((angles, angles), axis=1)
    return np.concatenate((np.cos(angles), np.sin(angles)), axis=1).astype(np.float32)


@dataclass(frozen=True)
class GgufTensors:
    """The tensors of a GGUF file by their GGUF names, q and k un-permuted."""

    path: Path

    @cached_property
    def tensors(self) -> dict[str, ReaderTensor]:
        return {t.name: t for t in GGUFReader(self.path).tensors}

    @cache  # noqa: B019 - one object a test run
    def matrix(self, name: str) -> PackedMatrix:
        tensor = self.tensors[name]
        raw = tensor.data.reshape(tensor.data.shape[0], -1)
        packed = {GGMLQuantizationType.Q4_1: q4_1, GGMLQuantizationType.Q8_0: q8_0}[tensor.tensor_type](raw)
        heads = HEADS if name.endswith("attn_q.weight") else KV_HEADS
        return permuted(packed, heads) if name.endswith(("attn_q.weight", "attn_k.weight")) else packed

    @cache  # noqa: B019
    def array(self, name: str) -> NDArray[np.float32]:
        tensor = self.tensors[name]
        if tensor.tensor_type == GGMLQuantizationType.F32:
            return np.array(tensor.data, dtype=np.float32)
        return self.matrix(name).dequantise()

    def rows(self, name: str, start: int, stop: int) -> NDArray[np.float32]:
        return self.array(name)[start:stop]


def q4_1(raw: NDArray[np.uint8]) -> PackedMatrix:
    """Rows of Q4_1 blocks: fp16 d, fp16 m, 16 bytes of nibbles."""
    rows = len(raw)
    blocks = raw.reshape(rows, -1, 20)
    d, m = (blocks[:, :, i : i + 2].copy().view(np.float16)[:, :, 0] for i in (0, 2))
    nibbles = np.concatenate((blocks[:, :, 4:] & 15, blocks[:, :, 4:] >> 4), axis=2).reshape(rows, -1)
    return PackedMatrix(rows=rows, cols=nibbles.shape[1], group=32, bits=4, d=d, m=m, q=nibbles)


def q8_0(raw: NDArray[np.uint8]) -> PackedMatrix:
    """Rows of Q8_0 blocks: fp16 d, 32 int8."""
    rows = len(raw)
    blocks = raw.reshape(rows, -1, 34)
    d = blocks[:, :, :2].copy().view(np.float16)[:, :, 0]
    q = blocks[:, :, 2:].copy().view(np.int8).reshape(rows, -1)
    return PackedMatrix(rows=rows, cols=q.shape[1], group=32, bits=8, d=d, m=np.zeros_like(d), q=q)


def permuted(w: PackedMatrix, heads: int) -> PackedMatrix:
    """Rotary rows from interleaved to halves."""
    order = np.arange(w.rows).reshape(heads, w.rows // heads // 2, 2).swapaxes(1, 2).reshape(-1)
    return PackedMatrix(rows=w.rows, cols=w.cols, group=w.group, bits=w.bits,
                        d=w.d[order], m=w.m[order], q=w.q[order])  # fmt: skip
