"""Measures the ranges of values in floats, and proposes fraction bits where the default ones do not fit."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from stbuild.ir.fixed import map_integers
from stbuild.ir.formats import MOST_BITS, Formats
from stbuild.ir.graph import Graph
from stbuild.ir.op import Op
from stbuild.ir.tensors import Tensors
from stbuild.ir.types import ACTIVATION_FRAC, RESIDUAL_FRAC
from stbuild.ops.map import Map
from stbuild.ops.mul_param import MulParam
from stbuild.reference.dual_run import Sample

VALUE_BITS = 31
"""Of an int32 beside its sign."""
HEADROOM_BITS = 3
"""Proposed bits leave room for values 8 times as large as those seen."""
NEAR_BITS = 1
"""Bits that leave less room than this for what was seen are too many."""
LEAST_STEPS = 8.0
"""Of a vector's root mean square: with fewer, rounding takes more than 3.6 % (1 / sqrt(12) of a step)."""


@dataclass(frozen=True, kw_only=True)
class Range:
    """The largest magnitude of all, and the smallest root mean square of a run that is not 0."""

    largest: float = 0.0
    finest: float = math.inf

    def joined(self, other: "Range") -> "Range":
        """Of both."""
        return Range(largest=max(self.largest, other.largest), finest=min(self.finest, other.finest))

    def suits(self, bits: int) -> bool:
        """Whether integers of `bits` fraction bits hold it."""
        fits = self.largest < 2.0 ** (VALUE_BITS - NEAR_BITS - bits)
        return fits and self.finest * 2.0**bits >= LEAST_STEPS

    @property
    def bits(self) -> int:
        """As many fraction bits as leave headroom."""
        whole = math.ceil(math.log2(self.largest)) if self.largest > 0 else 0
        return min(max(VALUE_BITS - HEADROOM_BITS - whole, 0), MOST_BITS)


@dataclass(kw_only=True)
class Ranges:
    """What samples say of each value, by `block/value`; the graph has the usual formats."""

    graph: Graph
    values: dict[str, Range] = field(default_factory=dict)

    def add(self, sample: Sample) -> None:
        """Take a sample in."""
        place = f"{sample.block.name}/{sample.op.name}"
        self.values[place] = self.values.get(place, Range()).joined(range_of(sample.floats))

    def proposal(self, weights: Tensors, free: set[str], carried: set[str]) -> Formats:
        """Other bits for what the usual ones do not suit of `free` values; `carried` ones share theirs."""
        residual = Range()
        for place in sorted(carried & self.values.keys()):
            residual = residual.joined(self.values[place])
        return Formats(
            residual=RESIDUAL_FRAC if residual.suits(RESIDUAL_FRAC) else residual.bits,
            values=dict(self._chosen(free - carried)),
            parameters=dict(self._parameters(weights)),
        )

    def _chosen(self, places: set[str]) -> Iterator[tuple[str, int]]:
        for place, op in self._ops():
            found = self.values.get(place, Range())
            if place in places and not found.suits(ACTIVATION_FRAC):
                yield place, _within(op, found.bits)

    def _parameters(self, weights: Tensors) -> Iterator[tuple[str, int]]:
        for place, op in self._ops():
            if not isinstance(op, MulParam):
                continue
            found = Range()
            for name in op.param.names:
                values = torch.from_numpy(weights.array(name)) * op.param.scale + op.param.offset
                found = found.joined(range_of(values))
            if not found.suits(ACTIVATION_FRAC):
                yield place, found.bits

    def _ops(self) -> Iterator[tuple[str, Op]]:
        return ((f"{block.name}/{op.name}", op) for block in self.graph.blocks for op in block.ops)


def range_of(values: Tensor) -> Range:
    """The range of one run; zeros alone need nothing."""
    wide = values.double()
    finest = float(wide.pow(2).mean().sqrt())
    return Range(largest=float(wide.abs().max()), finest=finest if finest > 0 else math.inf)


def _within(op: Op, bits: int) -> int:
    """At most the bits with which the table of a function fits."""
    while isinstance(op, Map) and bits > 0:
        try:
            map_integers(op.samples, bits)
        except ValueError:
            bits -= 1
        else:
            break
    return bits
