"""Ops that make each element of a vector from the same element, and tables read by position."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stbuild.ir.fixed import TABLE_FRAC
from stbuild.ir.graph import Affine, Map, Mul, MulParam, Rotary
from stbuild.reference.integer import rsr, sat

MAP_START = 16 << 16
"""-16 with 16 fraction bits, negated: where the first segment of a Map begins."""
MAP_SEGMENT_BITS = 13
"""A segment of 1/8 with 16 fraction bits."""


def add(a: Tensor, b: Tensor) -> Tensor:
    """`a + b`, or a vector plus a parameter of its width."""
    return sat(a + b)


def multiply(op: Mul | MulParam, a: Tensor, b: Tensor, frac_a: int, frac_b: int) -> Tensor:
    """`a * b`, or a vector times a parameter of its width."""
    return sat(rsr(a * b, frac_a + frac_b - op.frac))


def affine(op: Affine, x: Tensor, frac_in: int) -> Tensor:
    """`x * scale + offset` by the op's integers."""
    return sat(rsr(x * op.multiplier, op.shift + frac_in - op.frac) + op.addend)


def function(op: Map, x: Tensor) -> Tensor:
    """The function whose table `op` carries, of values with 16 fraction bits."""
    x = x + MAP_START
    i = (x >> MAP_SEGMENT_BITS).clamp(0, len(op.bases) - 1)
    rest = x - (i << MAP_SEGMENT_BITS)
    return sat(torch.tensor(op.bases)[i] + rsr(torch.tensor(op.slopes)[i] * rest, 16))


def table_row(op: Rotary, run: int, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of the rows of a position table those that `op` uses in a run: [T, 2 * rotary_dim]."""
    width = 2 * op.rotary_dim
    first = op.rows[run] * width if op.rows else 0
    return rows[:, first : first + width]


def turned_pairs(op: Rotary, x: Tensor) -> Tensor:
    """Of `x` [T, heads, rotary_dim], each pair (a, b) as (-b, a)."""
    if op.interleaved:
        return torch.stack((-x[:, :, 1::2], x[:, :, ::2]), dim=3).flatten(2)
    first, second = x.chunk(2, dim=2)
    return torch.cat((-second, first), dim=2)


def rotary(op: Rotary, x: Tensor, table: Tensor) -> Tensor:
    """Rotate [T, heads * head_dim] by `table` [T, 2 * rotary_dim], cosines then sines."""
    heads = x.reshape(len(x), op.heads, op.head_dim)
    turned, rest = heads[:, :, : op.rotary_dim], heads[:, :, op.rotary_dim :]
    other = turned_pairs(op, turned)
    cos, sin = table[:, None].chunk(2, dim=2)
    turned = sat(rsr(turned * cos + other * sin, TABLE_FRAC))
    return torch.cat((turned, rest), dim=2).reshape(x.shape)
