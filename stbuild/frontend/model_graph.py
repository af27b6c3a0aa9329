"""A model's tensor graph with its position tables, as made from an nn.Module and as kept in files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from torch import nn

from stbuild.errors import StbuildError
from stbuild.frontend import blocks
from stbuild.frontend.lower import FlatModel, lower
from stbuild.frontend.positions import check_causal, tabulate
from stbuild.frontend.static import evaluate
from stbuild.frontend.trace import PREFILL_TOKENS, trace
from stbuild.ir import serde
from stbuild.ir.graph import Graph, PositionTable

GRAPH_FILE, TABLES_FILE = "graph.json", "tables.safetensors"


@dataclass(frozen=True, kw_only=True)
class ModelGraph:
    """The graph of one token, and its position tables [context, width] by name."""

    graph: Graph
    tables: dict[str, NDArray[np.float64]]

    def write(self, folder: Path) -> None:
        """Write `graph.json` and `tables.safetensors`."""
        serde.write(folder / GRAPH_FILE, self.graph)
        save_file({n: np.ascontiguousarray(t) for n, t in sorted(self.tables.items())}, folder / TABLES_FILE)

    @staticmethod
    def read(folder: Path) -> "ModelGraph":
        """Read what `write` wrote."""
        tables = load_file(folder / TABLES_FILE)
        return ModelGraph(graph=serde.read(Graph, folder / GRAPH_FILE), tables=tables)


def decode_graph(model: nn.Module, *, name: str, context: int) -> ModelGraph:
    """The graph of `model`, lowered from one decode step."""
    flat = lower(trace(model, context=context))
    values = tabulate(flat.tables, flat.masks, context=context)
    tables = tuple(PositionTable(name=n, width=t.shape[1]) for n, t in values.tables.items())
    graph = blocks.graph_of(flat.ops, flat.logits, name=name, context=context, tables=tables)
    return ModelGraph(graph=graph, tables=values.tables)


def prefill_ops(model: nn.Module, *, context: int) -> FlatModel:
    """The flat ops of `model`, lowered from a prefill; its masks are checked at some positions."""
    tokens = min(PREFILL_TOKENS, context)
    flat = lower(trace(model, context=context, tokens=tokens))
    for position, masks in enumerate(evaluate(flat.masks, min(context, tokens + 7), tokens)):
        for mask in masks:
            check_causal(mask, position, context)
    return flat


def check_prefill(decode: Graph, prefill: FlatModel) -> None:
    """Refuse a model whose prefill does something else than its decode steps."""
    graph = blocks.graph_of(
        prefill.ops, prefill.logits, name=decode.name, context=decode.context, tables=decode.tables
    )
    if graph != decode:
        differing = next(
            (b.name for a, b in zip(graph.blocks, decode.blocks, strict=False) if a != b), "count"
        )
        raise StbuildError(
            f"the model computes something else in a prefill than in a decode step ({differing})"
        )
