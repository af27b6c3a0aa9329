"""Finds the first op whose value is not the model's own."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import torch
from torch import Tensor

from stbuild.ir.op import Op
from stbuild.reference.dual_run import Sample

SAME = 1e-4
"""Fingerprints that differ by less, relative to the vector's length, are those of one value."""

Fingerprint = tuple[float, ...]
"""A tensor's length and its products with random vectors."""
PRODUCTS = 4


@dataclass(frozen=True, kw_only=True)
class OpValue:
    """One op of one run and the fingerprint of its value."""

    block: str
    run: int
    op: Op
    reads: tuple[int, ...]
    elements: int
    fingerprint: Fingerprint


@dataclass(kw_only=True)
class ModelValues:
    """The fingerprints of tensors that the model's own operators make for `tokens` tokens.

    Those whose vectors are as wide as one of `widths`: no other can be a value of the graph.
    """

    tokens: int
    widths: frozenset[int]
    known: dict[int, list[Fingerprint]] = field(default_factory=dict)

    def add(self, tensor: Tensor) -> None:
        """Take a tensor in, if it may be a value of each token; a mask's infinities are like no value."""
        width, rest = divmod(tensor.numel(), self.tokens)
        if tensor.is_floating_point() and not rest and width in self.widths:
            for rows in token_rows(tensor, self.tokens):
                found = fingerprint(rows)
                if all(map(math.isfinite, found)):
                    self.known.setdefault(tensor.numel(), []).append(found)

    def has(self, value: OpValue) -> bool:
        """True if one of the tensors has its elements."""
        return any(_same(value.fingerprint, other) for other in self.known.get(value.elements, ()))


@dataclass(kw_only=True)
class GraphValues:
    """The values of the graph's ops in order, for one prompt; `sizes` are the tokens of all prompts."""

    prompt: int
    sizes: tuple[int, ...]
    made: list[OpValue] = field(default_factory=list)
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
        reads = tuple(self._at[name] for name in sample.op.operands)
        self.made.append(OpValue(block=sample.block.name, run=sample.run, op=sample.op, reads=reads,
                              elements=value.numel(), fingerprint=fingerprint(value)))  # fmt: skip
        if all(name in self._at for name in sample.block.outputs):
            self._flow = tuple(self._at[name] for name in sample.block.outputs)

    def first_difference(self, model: ModelValues) -> OpValue | None:
        """The first op whose value the model does not have, nor any value that is made from it.

        A graph may split what the model does in one step: a value in between is known by what follows.
        """
        known = [model.has(made) for made in self.made]
        for i in range(len(self.made) - 1, -1, -1):
            if known[i]:
                for read in self.made[i].reads:
                    known[read] = True
        return next((made for made, is_known in zip(self.made, known, strict=True) if not is_known), None)


def token_rows(tensor: Tensor, tokens: int) -> Iterator[Tensor]:
    """`tensor` with its tokens in front, for each of its dimensions that may be that of the tokens."""
    inner = tensor[(0,) * next((i for i, size in enumerate(tensor.shape) if size != 1), 0)]
    for dim in range(min(inner.ndim, 3)):
        if inner.shape[dim] == tokens or tokens == 1:
            yield inner.movedim(dim, 0)


def fingerprint(tensor: Tensor) -> Fingerprint:
    """Numbers that tell a tensor from others: any error of it, even a random one, moves most of them."""
    x = tensor.double().flatten()
    return float(x.norm()), *(_random(len(x)) @ x).tolist()


@lru_cache(maxsize=64)
def _random(size: int) -> Tensor:
    """Vectors whose product with another is about as large as that is long."""
    generator = torch.Generator().manual_seed(size)
    return torch.randn(PRODUCTS, size, dtype=torch.float64, generator=generator)


def _same(a: Fingerprint, b: Fingerprint) -> bool:
    size = max(a[0], b[0], 1e-30)
    return all(abs(x - y) <= SAME * size for x, y in zip(a, b, strict=True))


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
