"""Finds the first op whose value is not the model's own."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from stbuild.ir.graph import AnyOp, operands
from stbuild.reference.twin import Sample

SAME = 2e-4
"""Fingerprints this near, relative to the vector's length, are those of one value."""

Fingerprint = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Made:
    """One op of one run and what tells its value, in whatever layout, from others."""

    block: str
    run: int
    op: AnyOp
    reads: tuple[int, ...]
    elements: int
    print: Fingerprint


@dataclass(kw_only=True)
class ModelValues:
    """The fingerprints of all tensors that the model's own operators make for `tokens` tokens."""

    tokens: int
    known: dict[int, list[Fingerprint]] = field(default_factory=dict)

    def add(self, tensor: Tensor) -> None:
        """Take a tensor in, if it may be a value of each token; a mask's infinities are like no value."""
        if tensor.is_floating_point() and tensor.numel() % self.tokens == 0:
            found = fingerprint(tensor)
            if all(map(math.isfinite, found)):
                self.known.setdefault(tensor.numel(), []).append(found)

    def has(self, made: Made) -> bool:
        """True if one of the tensors has the elements of `made`."""
        return any(_same(made.print, other) for other in self.known.get(made.elements, ()))


@dataclass(kw_only=True)
class GraphValues:
    """The values of the graph's ops in order, for one prompt; `sizes` are the tokens of all prompts."""

    prompt: int
    sizes: tuple[int, ...]
    made: list[Made] = field(default_factory=list)
    _at: dict[str, int] = field(default_factory=dict)
    _flow: tuple[int, ...] = ()
    _place: tuple[str, int] = ("", 0)

    def add(self, sample: Sample) -> None:
        """Take a sample in; samples come op by op, run by run."""
        place = (sample.block.name, sample.run)
        if place != self._place:
            self._place = place
            self._at = dict(zip(sample.block.inputs, self._flow, strict=True))
        self._at[sample.op.name] = len(self.made)
        value = torch.split(sample.floats, list(self.sizes))[self.prompt]
        reads = tuple(self._at[name] for name in operands(sample.op))
        self.made.append(Made(block=sample.block.name, run=sample.run, op=sample.op, reads=reads,
                              elements=value.numel(), print=fingerprint(value)))  # fmt: skip
        if all(name in self._at for name in sample.block.outputs):
            self._flow = tuple(self._at[name] for name in sample.block.outputs)

    def first_strange(self, model: ModelValues) -> Made | None:
        """The first op whose value the model does not have, nor any value that is made from it.

        A graph may split what the model does in one step: a value in between is known by what follows.
        """
        known = [model.has(made) for made in self.made]
        for i in range(len(self.made) - 1, -1, -1):
            if known[i]:
                for read in self.made[i].reads:
                    known[read] = True
        return next((made for made, is_known in zip(self.made, known, strict=True) if not is_known), None)


def fingerprint(tensor: Tensor) -> Fingerprint:
    """Numbers that depend on a tensor's elements but not on their order."""
    x = tensor.double().flatten()
    return float(x.norm()), float(x.sum()), float(x.abs().pow(3).sum().pow(1 / 3))


def _same(a: Fingerprint, b: Fingerprint) -> bool:
    size = max(a[0], b[0], 1e-30)
    near: Sequence[bool] = [abs(x - y) <= SAME * size for x, y in zip(a, b, strict=True)]
    return all(near)


def errors_by_prompt(ours: Tensor, theirs: Tensor, sizes: Sequence[int]) -> list[float]:
    """The relative error of each prompt's rows, of which there are `sizes`."""
    pairs = zip(torch.split(ours, list(sizes)), torch.split(theirs, list(sizes)), strict=True)
    return [relative_error(a, b) for a, b in pairs]


def relative_error(ours: Tensor, theirs: Tensor) -> float:
    """The largest distance of a row from its counterpart, relative to that one's length."""
    a, b = ours.double(), theirs.double()
    if not bool(torch.isfinite(a).all() and torch.isfinite(b).all()):
        return float("inf")
    return float(((a - b).norm(dim=1) / b.norm(dim=1).clamp(min=1e-30)).max())
