"""Refuses graphs that the arithmetic or the stream words do not hold, with the op and its source."""

from collections.abc import Mapping

from stbuild.errors import StbuildError
from stbuild.ir.graph import Block, Graph
from stbuild.ir.op import CheckContext, Op
from stbuild.ir.param import PositionTable
from stbuild.ir.values import block_shapes
from stbuild.limits import MAX_CONTEXT
from stbuild.ops.attention import Attention
from stbuild.ops.checks import require, require_multiple


def check_graph(graph: Graph) -> None:
    """Raise StbuildError for the first thing in `graph` that cannot be computed as docs/numerics.md says."""
    if not graph.blocks:
        raise StbuildError(f"graph {graph.name!r} has no block")
    if graph.context > MAX_CONTEXT:
        raise StbuildError(f"a context of {graph.context} is beyond {MAX_CONTEXT}",
                           hint="choose a smaller context")  # fmt: skip
    tables = {table.name: table for table in graph.tables}
    flow: tuple[int, ...] = ()
    for block in graph.blocks:
        flow = _check_block(block, flow, tables, block is graph.blocks[-1])
    _check_head(graph, flow)


def check_formats(graph: Graph) -> None:
    """Raise StbuildError for the first op of a graph with formats whose numbers are beyond its integers."""
    shapes = block_shapes(graph)
    for block in graph.blocks:
        fracs = {name: shape.frac for name, shape in shapes[block.name].items()}
        for op in block.ops:
            op.check_fixed(fracs)


def _check_block(
    block: Block, flow: tuple[int, ...], tables: Mapping[str, PositionTable], block_is_head: bool
) -> tuple[int, ...]:
    """Check `block` with inputs as wide as `flow`; the widths of its outputs."""
    if len(block.inputs) != len(flow):
        raise StbuildError(f"block {block.name!r} takes {len(block.inputs)} values, but {len(flow)} arrive")
    widths = dict(zip(block.inputs, flow, strict=True))
    for op in block.ops:
        _check_names(block, op, widths)
        if not (block_is_head and op.any_width):
            require_multiple(op, op.width)
        op.check(CheckContext(widths=widths, tables=tables))
        _check_runs(op, block.count)
        widths[op.name] = op.width
    if missing := [name for name in block.outputs if name not in widths]:
        raise StbuildError(f"block {block.name!r} hands on {missing[0]!r}, which it does not make")
    outputs = tuple(widths[name] for name in block.outputs)
    if block.count > 1 and outputs != flow:
        raise StbuildError(f"block {block.name!r} runs {block.count} times, but its outputs {list(outputs)} "
                           f"are not as wide as its inputs {list(flow)}")  # fmt: skip
    return outputs


def _check_names(block: Block, op: Op, widths: Mapping[str, int]) -> None:
    require(op, op.name not in widths, "its name is taken in the block")
    if missing := [name for name in op.operands if name not in widths]:
        raise op.fault(f"it reads {missing[0]!r}, which no op before it makes")
    for _, param in op.params:
        given = len(param.names)
        require(op, given == block.count, f"it has {given} weights for {block.count} runs")


def _check_runs(op: Op, runs: int) -> None:
    """Numbers by run: as many as there are runs, or none."""
    for name in op.run_fields:
        given = len(getattr(op, name))
        require(op, given in (0, runs), f"it has {given} numbers for {runs} runs")


def _check_head(graph: Graph, flow: tuple[int, ...]) -> None:
    head = graph.blocks[-1]
    if flow != (graph.vocab_size,):
        raise StbuildError(
            f"the last block {head.name!r} makes {list(flow)}, not the {graph.vocab_size} logits"
        )
    for op in head.ops:
        keeps = isinstance(op, Attention)
        require(op, not keeps, "attention in the last block, which runs for the last token only")
    if head.count != 1:
        raise StbuildError(f"the last block {head.name!r} runs {head.count} times, not once")
