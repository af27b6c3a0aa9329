"""The engine that fits its card and loses least against the largest that memory and ports allow."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from math import log2

from stbuild.errors import StbuildError
from stbuild.ir.design import Design, KernelRole
from stbuild.ir.engine import DEEP, SHALLOW, Engine
from stbuild.ir.graph import Graph
from stbuild.ir.lane_shape import LaneShape, lane_shape
from stbuild.ir.weights import WeightIndex
from stbuild.passes.fifos import SizeFifos
from stbuild.passes.join_params import JoinParams
from stbuild.passes.network import build_network
from stbuild.passes.place import PlaceMemory
from stbuild.passes.place_kernels import PlaceKernels
from stbuild.passes.segments import FormKernels
from stbuild.passes.sizes import SizeOverrides, choose_sizes, largest_engine, unit_lanes, usual_batch
from stbuild.platform import Fabric, Platform
from stbuild.resources.fit import RESOURCES, fit_of, limit_of
from stbuild.resources.usage import (
    RowKind,
    change_in_luts,
    lane_cost,
    unit_costs,
    unit_fifos,
    usage_of,
)

TRIES = 40
"""Engines that are placed before the search gives up."""
CHUNKS = (32, 30, 27, 24, 21, 18, 16, 15, 12, 9, 8, 6, 4, 3, 2, 1)
"""Tokens of a launch that are tried."""
PROMPT = 128
"""Tokens of the prompt that a launch is measured by; four blocks of the cache."""


@dataclass(frozen=True, kw_only=True)
class EngineChoice:
    """Searches among engines, those first that lose least; what a project sets stays as it is.

    A channel counts most, since every token waits for the weights; then a token lane, which only prompts
    want; then the chunk, then what is fetched ahead. The lanes lie in as few units as the card has SLRs,
    evenly unless only other numbers fit. FIFOs are those of `SizeFifos`, which the proof may deepen.
    """

    graph: Graph
    index: WeightIndex
    platform: Platform
    overrides: SizeOverrides = field(default_factory=SizeOverrides)
    depths: Mapping[str, int] = field(default_factory=dict)
    """Words of FIFOs that a project sets by hand, by their streams."""

    def largest(self) -> Engine:
        """What memory and ports allow."""
        return largest_engine(self.platform, self.overrides, self.graph.context)

    def fitting(self, largest: Engine) -> Iterator[Engine]:
        """The engines up to `largest` that fit, the best first."""
        others: dict[int, _Others] = {}
        stored: dict[int, bool] = {}
        smallest: dict[tuple[tuple[int, ...], int], bool] = {}
        costs, tries = cache(self._lane_costs), 0
        for tried in self._engines(largest):
            if tried.channels not in stored:
                stored[tried.channels] = self._placed(self._network(tried)) is not None
            if not stored[tried.channels]:
                continue
            if tried.chunk not in others:
                others[tried.chunk] = self._others(replace(largest, chunk=tried.chunk, batch=1))
            if not self._may_fit(tried, others[tried.chunk], costs):
                continue
            lanes = (tried.lanes, tried.token_lanes)
            if lanes not in smallest:
                tries += 1
                smallest[lanes] = self._fits(self._network(self._smallest(tried)))
            if smallest[lanes]:
                tries += 1
                if self._fits(self._network(tried)):
                    yield tried
            if tries >= TRIES:
                break

    def _smallest(self, engine: Engine) -> Engine:
        """The one with the same lanes that needs least: if it does not fit, no other does."""
        chunk = self.overrides.chunk or max(engine.token_lanes, self.overrides.batch)
        return replace(engine, chunk=chunk, batch=self._batch(engine.token_lanes, chunk), prefetch=SHALLOW)

    def _batch(self, token_lanes: int, chunk: int) -> int:
        return self.overrides.batch or usual_batch(token_lanes, chunk)

    def _others(self, engine: Engine) -> "_Others":
        """What a design takes without its lanes and memory ports, at least."""
        design = self._network(engine)
        rows = [row for row in usage_of(design, self.platform) if row.kind is not RowKind.MEMORY_PORT]
        units = unit_costs(tuple(rows))
        for kernel in design.kernels:
            if kernel.role is KernelRole.MATMUL:
                for unit in kernel.units:
                    units.pop(unit)
        return _Others(units=tuple(units.values()), shape=lane_shape(design, 0))

    def _lane_costs(self, shape: LaneShape) -> "_LaneCosts":
        return _LaneCosts(
            lane=lane_cost(shape, 0, self.platform), change=change_in_luts(shape, self.platform)
        )

    def _may_fit(self, tried: Engine, others: "_Others", costs: Callable[[LaneShape], "_LaneCosts"]) -> bool:
        """Whether each unit has room on some SLR, and all of them together: no placement does better."""
        card = self.platform
        cost = costs(replace(others.shape, token_lanes=tried.token_lanes, batch=tried.batch))
        lane = cost.lane + unit_fifos(tried, 1, card)
        total = sum(others.units, lane * tried.channels)
        fabric = -(-max(0, total.dsp - sum(self._limits("dsp"))) // -cost.change.dsp)
        if fabric > tried.channels * tried.token_lanes:
            return False
        total = total + cost.change * fabric
        for resource in RESOURCES:
            limits = self._limits(resource)
            if getattr(total, resource) > sum(limits):
                return False
            if any(getattr(unit, resource) > max(limits) for unit in others.units):
                return False
        return True

    def _limits(self, resource: str) -> list[int]:
        return [limit_of(self.platform, slr, resource) for slr in range(len(self.platform.slrs))]

    def _engines(self, largest: Engine) -> Iterator[Engine]:
        found = [
            replace(
                largest, lanes=lanes, token_lanes=token_lanes, chunk=chunk,
                batch=self._batch(token_lanes, chunk), prefetch=prefetch,
            )
            for channels in self._range(largest.channels, self.overrides.channels)
            for lanes in self._lanes(channels)
            for chunk in self._chunks(largest.chunk)
            for token_lanes in self._range(min(largest.token_lanes, chunk), self.overrides.token_lanes)
            for prefetch in (DEEP, SHALLOW)
        ]  # fmt: skip
        yield from sorted(found, key=lambda engine: _loss(largest, engine))

    def _chunks(self, most: int) -> Iterator[int]:
        yield most
        if not self.overrides.chunk:
            yield from (chunk for chunk in CHUNKS if self.overrides.batch <= chunk < most)

    def _range(self, most: int, given: int) -> range:
        return range(given or 1, most + 1)

    def _lanes(self, channels: int) -> Iterator[tuple[int, ...]]:
        """Units for the lanes of the channels: one for each SLR, as even as can be, then less so."""
        if self.overrides.lanes:
            yield unit_lanes(channels, self.overrides.lanes)
            return
        least = -(-channels // len(self.platform.slrs))
        yield unit_lanes(channels, least)
        if least < channels:
            yield unit_lanes(channels, least + 1)

    def _network(self, tried: Engine) -> Design:
        """The network of an engine, of any token lanes: they change no process and no stream."""
        sizes = choose_sizes(self.graph, self.platform, (tried,))
        design = build_network(self.graph, self.index, sizes, (tried,), self.platform.name)
        sized = SizeFifos()(JoinParams()(FormKernels()(design)))
        streams = tuple(replace(s, depth=self.depths.get(s.name, s.depth)) for s in sized.streams)
        return replace(sized, streams=streams)

    def _placed(self, design: Design) -> Design | None:
        """The design with its memory placed; None where the memory is too small."""
        try:
            return PlaceMemory(platform=self.platform)(design)
        except StbuildError:
            return None

    def _fits(self, design: Design) -> bool:
        stored = self._placed(design)
        if stored is None:
            return False
        placed = PlaceKernels(platform=self.platform)(stored)
        return fit_of(placed, self.platform, usage_of(placed, self.platform)).fits


@dataclass(frozen=True, kw_only=True)
class _Others:
    """What the units beside those of an engine take at least, and the shape of its lanes."""

    units: tuple[Fabric, ...]
    shape: LaneShape


@dataclass(frozen=True, kw_only=True)
class _LaneCosts:
    """What a lane takes, and what more where one of its token lanes multiplies in LUTs."""

    lane: Fabric
    change: Fabric


def _loss(largest: Engine, smaller: Engine) -> tuple[float, int]:
    """How much slower it is; of equals the one whose units are more even."""
    return (
        16 * log2(largest.channels / smaller.channels)
        + log2(largest.tokens_a_pass / smaller.tokens_a_pass)
        + log2(_launches(smaller) / _launches(largest)) / 2
        + log2(largest.prefetch / smaller.prefetch) / 10,
        max(smaller.lanes),
    )


def _launches(engine: Engine) -> int:
    """Launches of a prompt of PROMPT tokens."""
    return -(-PROMPT // engine.chunk)
