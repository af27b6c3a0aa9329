"""A model's tensor graph with its position tables, made from an nn.Module."""

from dataclasses import dataclass, replace
from itertools import zip_longest

from torch import nn

from stbuild.errors import StbuildError
from stbuild.frontend import blocks
from stbuild.frontend.builder import NoLowering
from stbuild.frontend.exported import ExportedModel
from stbuild.frontend.lower import FlatModel, lower
from stbuild.frontend.masks import check_mask
from stbuild.frontend.padding import padded_graph, padded_tables, rotated_places
from stbuild.frontend.positions import tabulate
from stbuild.frontend.runnable import PREFILL_TOKENS
from stbuild.frontend.static import evaluate
from stbuild.frontend.tables import Table
from stbuild.frontend.trace import TracedModel, decomposed, trace
from stbuild.ir.graph import Graph
from stbuild.ir.op import Op
from stbuild.ir.param import PositionTable
from stbuild.ops.rotary import Rotary


@dataclass(frozen=True, kw_only=True)
class ModelGraph:
    """The graph of one token, and its position tables [context, width] by name."""

    graph: Graph
    tables: dict[str, Table]


def decode_graph(model: nn.Module | ExportedModel, *, name: str, context: int) -> ModelGraph:
    """The graph of `model`, lowered from one decode step."""
    flat = _lowered(_traced(model, context))
    values = tabulate(flat.tables, flat.masks, context=context)
    tables = tuple(PositionTable(name=n, width=t.shape[1]) for n, t in values.items())
    graph = padded_graph(
        blocks.graph_of(
            flat.ops, flat.logits, name=name, context=context, tables=tables, derived=flat.derived
        )
    )
    return ModelGraph(graph=graph, tables=padded_tables(values, graph))


def prefill_ops(model: nn.Module | ExportedModel, *, context: int, tokens: int = PREFILL_TOKENS) -> FlatModel:
    """The flat ops of `model`, lowered from a prefill; its masks are checked at some positions."""
    tokens = min(tokens, context)
    flat = _lowered(_traced(model, context, tokens))
    masks = tuple(used.mask for used in flat.masks)
    for position, values in enumerate(evaluate(masks, min(context, tokens + 7), tokens)):
        for mask, used in zip(values, flat.masks, strict=True):
            check_mask(mask, used.form, position, used.place)
    return flat


def _traced(model: nn.Module | ExportedModel, context: int, tokens: int = 1) -> TracedModel:
    if isinstance(model, ExportedModel):
        return model.traced(tokens)
    return trace(model, context=context, tokens=tokens)


def _lowered(traced: TracedModel) -> FlatModel:
    """The exported graph as it is where the table has all its operators, else decomposed."""
    try:
        return lower(traced)
    except NoLowering:
        return lower(decomposed(traced))


def check_prefill(decode: Graph, flat: FlatModel) -> None:
    """Refuse a model whose prefill computes something else than its decode steps."""
    tables = tuple(replace(table, width=_width_before(table, decode)) for table in decode.tables)
    graph = padded_graph(
        blocks.graph_of(
            flat.ops, flat.logits, name=decode.name, context=decode.context, tables=tables,
            derived=flat.derived,
        )
    )  # fmt: skip
    if graph != decode:
        op = _first_other(graph, decode)
        what = f": the first op that differs is {type(op).__name__} {op.name!r}" if op else ""
        raise StbuildError(
            f"the model computes something else in a prefill of {flat.tokens} tokens than in a decode step"
            f"{what}" + (f" in {op.origin}" if op and op.origin else ""),
            where=op.line or None if op else None,
            hint="what is done to a token must not depend on how many tokens come with it",
        )


def _width_before(table: PositionTable, graph: Graph) -> int:
    """The width of a table before the graph was padded."""
    for block in graph.blocks:
        for op in block.ops:
            if isinstance(op, Rotary) and op.table == table.name:
                places = rotated_places(graph, block, op)
                return table.width // places.size * int((places >= 0).sum())
    return table.width


def _first_other(prefill: Graph, decode: Graph) -> Op | None:
    """The first op of the prefill, else of the decode step, that the other does not have in its place."""
    ours, theirs = ([op for block in graph.blocks for op in block.ops] for graph in (decode, prefill))
    return next((b or a for a, b in zip_longest(ours, theirs) if a != b), None)
