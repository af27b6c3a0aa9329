"""Judges whether a design fits its card, and finds what would fit if it does not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from stbuild.errors import StbuildError
from stbuild.ir.design import Design
from stbuild.ir.engine import Engine
from stbuild.ir.graph import Graph
from stbuild.ir.weights import WeightIndex
from stbuild.passes.choose_engine import EngineChoice
from stbuild.passes.pipeline import plan_engines
from stbuild.platform import Platform
from stbuild.resources.fit import RESOURCES, Fit, Sizes, fit_of
from stbuild.resources.usage import Row, usage_of

SHOWN = 4
"""Processes that are named where no sizes fit."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The rows of a design and their judgement."""

    rows: tuple[Row, ...]
    fit: Fit


def judge_fit(
    graph: Graph,
    index: WeightIndex,
    platform: Platform,
    design: Design,
    depths: Mapping[str, int] | None = None,
) -> Judged:
    """The judgement of a placed design; raises StbuildError where it is refused.

    `depths` are those that the project sets by hand; the sizes that are told fit with them.
    """
    rows = usage_of(design, platform)
    fit = fit_of(design, platform, rows)
    if fit.fits:
        return Judged(rows=rows, fit=fit)
    trial = _Trial(graph=graph, index=index, platform=platform, clock_mhz=design.sizes.clock_mhz)
    hint = fit.hint
    if len(design.engines) == 1:
        hint = _what_would_fit(trial, fit, design.engines[0], depths or {})
    if hint == fit.hint:
        hint += _largest(rows, fit.passed[0].resource)
    raise StbuildError(f"{design.name} {fit.sentence}", hint=hint, exit_code=1)


@dataclass(frozen=True, kw_only=True)
class _Trial:
    """Plans a graph on other engines, to see whether they fit."""

    graph: Graph
    index: WeightIndex
    platform: Platform
    clock_mhz: int

    def nearest(self, engine: Engine, depths: Mapping[str, int]) -> Engine | None:
        """The first engine that fits once its FIFOs are as deep as the proof makes them."""
        choice = EngineChoice(graph=self.graph, index=self.index, platform=self.platform, depths=depths)
        return next((each for each in choice.fitting(engine) if self.fits(each, depths)), None)

    def fits(self, engine: Engine, depths: Mapping[str, int]) -> bool:
        """Whether a design with one engine fits."""
        try:
            design = plan_engines(
                self.graph, self.index, self.platform, (engine,), clock_mhz=self.clock_mhz, depths=depths
            )
        except StbuildError:
            return False
        return fit_of(design, self.platform, usage_of(design, self.platform)).fits


def _what_would_fit(trial: _Trial, fit: Fit, engine: Engine, depths: Mapping[str, int]) -> str:
    """The nearest sizes, or the depth set by hand without which there are some."""
    nearest = trial.nearest(engine, depths)
    without = trial.nearest(engine, {}) if depths and nearest is None else None
    if without is None:
        return replace(fit, nearest=_sizes(nearest) if nearest else None).hint
    deepest = max(depths, key=lambda name: depths[name])
    words = f"depths: {deepest} has {depths[deepest]} words by hand"
    return f"{words}; without depths, {_sizes(without)} would fit"


def _largest(rows: Sequence[Row], resource: str) -> str:
    """The processes that take most of a resource, for a reader who has to make the model smaller."""
    field = next((field for field, name in RESOURCES.items() if name == resource), None)
    if field is None:
        return ""
    most = sorted(rows, key=lambda row: -getattr(row.cost, field))[:SHOWN]
    return f"; most {resource}: " + ", ".join(f"{r.name} {getattr(r.cost, field):,.0f}" for r in most)


def _sizes(engine: Engine) -> Sizes:
    return Sizes(
        channels=engine.channels,
        lanes=max(engine.lanes),
        token_lanes=engine.token_lanes,
        chunk=engine.chunk,
        batch=engine.batch,
    )
