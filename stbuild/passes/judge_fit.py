"""Judges whether a design fits its card, and finds what would fit if it does not."""

from dataclasses import dataclass, replace

from stbuild.errors import StbuildError
from stbuild.ir.design import Design
from stbuild.ir.engine import Engine
from stbuild.ir.graph import Graph
from stbuild.ir.weights import WeightIndex
from stbuild.passes.choose_engine import EngineChoice
from stbuild.platform import Platform
from stbuild.resources.fit import Fit, Sizes, fit_of
from stbuild.resources.usage import Row, usage_of


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The rows of a design and their judgement."""

    rows: tuple[Row, ...]
    fit: Fit


def judge_fit(graph: Graph, index: WeightIndex, platform: Platform, design: Design) -> Judged:
    """The judgement of a placed design; raises StbuildError where it is refused."""
    rows = usage_of(design, platform)
    fit = fit_of(design, platform, rows)
    if not fit.fits and len(design.engines) == 1:
        choice = EngineChoice(graph=graph, index=index, platform=platform)
        nearest = next(choice.fitting(design.engines[0]), None)
        fit = replace(fit, nearest=_sizes(nearest) if nearest else None)
    if not fit.fits:
        raise StbuildError(f"{design.name} {fit.sentence}", hint=fit.hint, exit_code=1)
    return Judged(rows=rows, fit=fit)


def _sizes(engine: Engine) -> Sizes:
    return Sizes(
        channels=engine.channels,
        lanes=max(engine.lanes),
        token_lanes=engine.token_lanes,
        chunk=engine.chunk,
        batch=engine.batch,
    )
