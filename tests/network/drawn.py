"""Random graphs with seeded numbers: planned for a card, or all the way to an emulated one."""

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stbuild.frontend.checkpoint import open_weights
from stbuild.frontend.padding import padded_graph
from stbuild.frontend.weights import Checkpoint, index_of
from stbuild.ir.design import Design
from stbuild.ir.graph import Graph
from stbuild.passes.numerics import FixNumerics
from stbuild.passes.pipeline import plan, plan_engines
from stbuild.passes.sizes import SizeOverrides, largest_engine
from tests.accelerator import DEFAULT, Accelerator, accelerate_graph, platform, traced_image


def planned(graph: Graph, card: str = "u55c", overrides: SizeOverrides = DEFAULT) -> Design:
    """The design of a graph, of sizes that fit; no number is drawn."""
    fixed = FixNumerics()(padded_graph(graph))
    return plan(fixed, index_of(fixed, _weights(fixed)), platform(card), overrides)


def on_largest_engine(graph: Graph, card: str = "u55c", overrides: SizeOverrides = DEFAULT) -> Design:
    """The design that `emulated` runs: on the largest engine, without a search for what fits."""
    fixed, on = FixNumerics()(padded_graph(graph)), platform(card)
    engine = largest_engine(on, overrides, fixed.context)
    return plan_engines(fixed, index_of(fixed, _weights(fixed)), on, (engine,))


def emulated(
    graph: Graph, folder: Path, *, strict: bool = False, overrides: SizeOverrides = DEFAULT
) -> Accelerator:
    """The graph on an emulated card that keeps traces, perhaps in the strict mode."""
    graph = padded_graph(graph)
    fixed = FixNumerics()(graph)
    compiler = partial(traced_image, strict=strict)
    return accelerate_graph(
        fixed, _weights(fixed), _tables(graph), folder, compiler=compiler, overrides=overrides
    )


def _weights(fixed: Graph) -> Checkpoint:
    return open_weights(None, fixed, group=32)


def _tables(graph: Graph) -> dict[str, NDArray[np.float32]]:
    """cos and sin of some angle at each position."""
    tables = {}
    for table in graph.tables:
        angle = np.outer(np.arange(graph.context), 0.1 * np.arange(1, table.width // 2 + 1))
        tables[table.name] = np.concatenate((np.cos(angle), np.sin(angle)), axis=1).astype(np.float32)
    return tables
