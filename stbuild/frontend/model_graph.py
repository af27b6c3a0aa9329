"""A model's tensor graph with its position tables, made from an nn.Module."""

from dataclasses import dataclass

from torch import nn

from stbuild.errors import StbuildError
from stbuild.frontend import blocks
from stbuild.frontend.builder import NoLowering
from stbuild.frontend.lower import FlatModel, lower
from stbuild.frontend.masks import check_mask
from stbuild.frontend.positions import tabulate
from stbuild.frontend.static import evaluate
from stbuild.frontend.tables import Table
from stbuild.frontend.trace import PREFILL_TOKENS, TracedModel, decomposed, trace
from stbuild.ir.graph import Graph, PositionTable


@dataclass(frozen=True, kw_only=True)
class ModelGraph:
    """The graph of one token, and its position tables [context, width] by name."""

    graph: Graph
    tables: dict[str, Table]


def decode_graph(model: nn.Module, *, name: str, context: int) -> ModelGraph:
    """The graph of `model`, lowered from one decode step."""
    flat = _lowered(trace(model, context=context))
    values = tabulate(flat.tables, flat.masks, context=context)
    tables = tuple(PositionTable(name=n, width=t.shape[1]) for n, t in values.items())
    graph = blocks.graph_of(
        flat.ops, flat.logits, name=name, context=context, tables=tables, derived=flat.derived
    )
    return ModelGraph(graph=graph, tables=values)


def prefill_ops(model: nn.Module, *, context: int) -> FlatModel:
    """The flat ops of `model`, lowered from a prefill; its masks are checked at some positions."""
    tokens = min(PREFILL_TOKENS, context)
    flat = _lowered(trace(model, context=context, tokens=tokens))
    masks = tuple(mask for mask, _ in flat.masks)
    for position, values in enumerate(evaluate(masks, min(context, tokens + 7), tokens)):
        for mask, (_, form) in zip(values, flat.masks, strict=True):
            check_mask(mask, form, position)
    return flat


def _lowered(traced: TracedModel) -> FlatModel:
    """The exported graph as it is where the table has all its operators, else decomposed."""
    try:
        return lower(traced)
    except NoLowering:
        return lower(decomposed(traced))


def check_prefill(decode: Graph, flat: FlatModel) -> None:
    """Refuse a model whose prefill does something else than its decode steps."""
    graph = blocks.graph_of(
        flat.ops, flat.logits, name=decode.name, context=decode.context, tables=decode.tables,
        derived=flat.derived,
    )  # fmt: skip
    if graph != decode:
        differing = next(
            (b.name for a, b in zip(graph.blocks, decode.blocks, strict=False) if a != b), "count"
        )
        raise StbuildError(
            f"the model computes something else in a prefill than in a decode step ({differing})"
        )
