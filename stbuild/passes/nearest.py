"""The nearest sizes of an engine with which a model would fit its card."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import log2

from stbuild.errors import StbuildError
from stbuild.ir.design import Design, Engine
from stbuild.ir.graph import Graph
from stbuild.ir.weights import WeightIndex
from stbuild.passes.fifos import SizeFifos
from stbuild.passes.network import build_network
from stbuild.passes.place import PlaceMemory
from stbuild.passes.place_kernels import PlaceKernels
from stbuild.passes.segments import FormKernels
from stbuild.passes.sizes import choose_sizes
from stbuild.platform import Platform
from stbuild.resources.fit import RESOURCES, fit_of, limit_of, shell_usage
from stbuild.resources.usage import NOTHING, Row, usage_of

TRIES = 60
"""Candidates that are looked at: enough for a quarter of the lanes, and some seconds."""


@dataclass(frozen=True, kw_only=True)
class NearestSizes:
    """Searches among smaller engines, those first that lose least.

    A channel counts most, since every token waits for the weights; then a token lane, which only prompts
    want; then the chunk. FIFOs are those of `SizeFifos`, which the proof may deepen by a little.
    """

    graph: Graph
    index: WeightIndex
    platform: Platform

    def __call__(self, engine: Engine) -> Engine | None:
        """The first that fits, or None."""
        networks: dict[tuple[int, int], Design] = {}
        for tried in list(smaller_engines(engine))[:TRIES]:
            shape = (tried.lanes, tried.chunk)
            if shape not in networks:
                networks[shape] = self._network(tried)
            if self._fits(replace(networks[shape], engines=(tried,))):
                return tried
        return None

    def _network(self, engine: Engine) -> Design:
        """The network of an engine, of any token lanes: they change no process and no stream."""
        sizes = choose_sizes(self.graph, self.platform, (engine,))
        design = build_network(self.graph, self.index, sizes, (engine,), self.platform.name)
        return SizeFifos()(FormKernels()(design))

    def _fits(self, design: Design) -> bool:
        try:
            design = PlaceMemory(platform=self.platform)(design)
        except StbuildError:
            return False
        rows = usage_of(design, self.platform)
        if not self._fits_in_all(design, rows):
            return False
        placed = PlaceKernels(platform=self.platform)(design)
        return fit_of(placed, self.platform, rows).fits

    def _fits_in_all(self, design: Design, rows: tuple[Row, ...]) -> bool:
        """Whether the SLRs together have room: no placement does better."""
        total = sum((row.cost for row in rows), sum(shell_usage(design, self.platform), NOTHING))
        slrs = range(len(self.platform.slrs))
        return all(getattr(total, r) <= sum(limit_of(self.platform, s, r) for s in slrs) for r in RESOURCES)


def smaller_engines(engine: Engine) -> Iterator[Engine]:
    """Engines with fewer lanes a unit, fewer token lanes or a smaller chunk, by what they lose."""
    found = [
        replace(engine, lanes=lanes, token_lanes=token_lanes, chunk=chunk)
        for lanes in range(1, engine.lanes + 1)
        for chunk in _halved(engine.chunk)
        for token_lanes in range(1, min(engine.token_lanes, chunk) + 1)
    ]
    yield from sorted((e for e in found if e != engine), key=lambda e: _loss(engine, e))


def _halved(chunk: int) -> Iterator[int]:
    while chunk:
        yield chunk
        chunk //= 2


def _loss(engine: Engine, smaller: Engine) -> float:
    return (
        2 * log2(engine.lanes / smaller.lanes)
        + log2(engine.token_lanes / smaller.token_lanes)
        + log2(engine.chunk / smaller.chunk) / 2
    )
