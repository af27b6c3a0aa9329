"""The float check's statistics: how close the integers are to the floats, and what saturates or vanishes."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from stbuild.ir.fixed import INT32_MAX
from stbuild.ir.op import Op
from stbuild.ops.norm import Norm
from stbuild.reference.dual_run import Sample
from stbuild.reference.floats import eps_deviation

MIN_COSINE = 0.995
"""Of integers with floats, mean over the tokens: hidden states after each run of a block, and logits."""
MAX_OWN_ERROR = 0.1
"""Of an op's integers when its operands are the floats': a cosine of 0.995 is as much."""
MAX_SATURATED = 0.001
MAX_VANISHED = 0.1
"""Shares of a stream's values."""
NEGLIGIBLE = 2.0**-10
"""A value this small against the root mean square of its vector is not missed when it becomes 0."""

Stream = tuple[str, str]
"""Block and value."""


@dataclass(kw_only=True)
class Counts:
    """Of one stream over all runs: its values, those at the bounds of int32, those that became 0."""

    values: int = 0
    saturated: int = 0
    vanished: int = 0


@dataclass(frozen=True, kw_only=True)
class Similarity:
    """How near what leaves a run of a block is: the mean over the tokens of their vectors' cosines."""

    cosine: float
    value: str
    block: str
    run: int


@dataclass(frozen=True, kw_only=True)
class OwnError:
    """The relative error of an op's integers in one run when its operands are the floats'.

    `inherited` is that of the integers which follow from all those before.
    """

    error: float
    inherited: float
    block: str
    run: int
    op: Op


@dataclass(kw_only=True)
class Agreement:
    """Collects samples; `eps` is how far a norm with a substituted eps is from the model's own."""

    counts: dict[Stream, Counts] = field(default_factory=dict)
    near: list[Similarity] = field(default_factory=list)
    eps: dict[Stream, float] = field(default_factory=dict)
    own: list[OwnError] = field(default_factory=list)

    def add(self, sample: Sample) -> None:
        """Take a sample in."""
        op, block = sample.op, sample.block
        place = (block.name, op.name)
        if isinstance(op, Norm) and op.exact:
            deviation = eps_deviation(op, sample.operands[0])
            self.eps[place] = max(self.eps.get(place, 0.0), deviation)
        if sample.exact is None or sample.own is None:
            return
        floats, exact = sample.floats[: len(sample.exact)], sample.exact
        error, inherited = (_relative_error(floats, x, op.frac) for x in (sample.own, exact))
        self.own.append(OwnError(error=error, inherited=inherited, block=block.name, run=sample.run, op=op))
        _count(self.counts.setdefault(place, Counts()), floats, exact)
        if op.name in block.outputs:
            cosine = mean_cosine(floats, exact)
            self.near.append(Similarity(cosine=cosine, value=op.name, block=block.name, run=sample.run))

    @property
    def least_similar(self) -> Similarity:
        """The block run whose integers are furthest from their floats."""
        return min(self.near, key=lambda n: n.cosine)

    @property
    def first_wrong(self) -> OwnError:
        """The first op whose own error is too large, else the first whose inherited error is."""
        largest = max(self.own, key=lambda each: each.error)
        inherits = next((each for each in self.own if each.inherited > MAX_OWN_ERROR), largest)
        return next((each for each in self.own if each.error > MAX_OWN_ERROR), inherits)

    def total(self) -> Counts:
        """The sums over all streams."""
        each = self.counts.values()
        return Counts(
            values=sum(c.values for c in each),
            saturated=sum(c.saturated for c in each),
            vanished=sum(c.vanished for c in each),
        )

    def overruns(self) -> Iterator[tuple[Stream, str]]:
        """The streams in which more saturates or vanishes than may."""
        for place, counts in self.counts.items():
            if counts.saturated > MAX_SATURATED * counts.values:
                yield place, f"{counts.saturated / counts.values:.1%} of its values saturate at 32 bits"
            if counts.vanished > MAX_VANISHED * counts.values:
                yield place, f"{counts.vanished / counts.values:.1%} of its values become 0"


def mean_cosine(floats: Tensor, exact: Tensor) -> float:
    """The mean cosine between the rows of the two; rows of zeros on both sides agree."""
    a, b = floats.double(), exact.double()
    nothing = (a == 0).all(dim=1) & (b == 0).all(dim=1)
    return float(cosine_similarity(a, b, dim=1).where(~nothing, torch.ones(())).mean())


def _relative_error(floats: Tensor, exact: Tensor, frac: int) -> float:
    away = exact.double() * 2.0**-frac - floats.double()
    return float(away.norm() / floats.double().norm().clamp(min=1e-30))


def _count(counts: Counts, floats: Tensor, exact: Tensor) -> None:
    size = floats.double().pow(2).mean(dim=1, keepdim=True).sqrt()
    counts.values += exact.numel()
    counts.saturated += int((exact.abs() >= INT32_MAX).sum())
    counts.vanished += int(((exact == 0) & (floats.abs() > NEGLIGIBLE * size)).sum())
