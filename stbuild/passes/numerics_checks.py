"""Refuses graphs that the arithmetic or the stream words do not hold, with the op and its source."""

from collections.abc import Mapping

from stbuild.errors import StbuildError
from stbuild.ir.fixed import CAP_LIMITS, INT32_MAX, SLOPE_LIMIT, attention_scale
from stbuild.ir.graph import (
    Add,
    AddParam,
    Affine,
    AnyOp,
    Attention,
    Block,
    Concat,
    Embed,
    Graph,
    Linear,
    Map,
    Mul,
    MulParam,
    Norm,
    PositionEmbed,
    PositionTable,
    Quantize,
    Rescale,
    Rotary,
    Slice,
    operands,
    params,
)  # fmt: skip
from stbuild.ir.types import ACTIVATION_FRAC, GROUP, LANES
from stbuild.limits import MAX_CONTEXT

MAP_SAMPLES = 257
MAX_EPS = 1024
"""Keeps a norm's mean of squares below 2^47."""
RAGGED = (Linear, Map, Affine, Add, Mul, AddParam, MulParam)
"""Ops that may make logits of any number, since a word's last elements are as good as the others to them."""
PAD = "pad the model's sizes; the card moves 16 elements at a time"

Widths = Mapping[str, int]


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


def _check_block(
    block: Block, flow: tuple[int, ...], tables: Mapping[str, PositionTable], block_is_head: bool
) -> tuple[int, ...]:
    """Check `block` with inputs as wide as `flow`; the widths of its outputs."""
    if len(block.inputs) != len(flow):
        raise StbuildError(f"block {block.name!r} takes {len(block.inputs)} values, but {len(flow)} arrive")
    widths = dict(zip(block.inputs, flow, strict=True))
    for op in block.ops:
        _check_names(block, op, widths)
        if not (block_is_head and isinstance(op, RAGGED)):
            _check_width(op, op.width, LANES)
        _check_op(op, widths, tables)
        _check_runs(block, op)
        widths[op.name] = op.width
    if missing := [name for name in block.outputs if name not in widths]:
        raise StbuildError(f"block {block.name!r} hands on {missing[0]!r}, which it does not make")
    outputs = tuple(widths[name] for name in block.outputs)
    if block.count > 1 and outputs != flow:
        raise StbuildError(f"block {block.name!r} runs {block.count} times, but its outputs {list(outputs)} "
                           f"are not as wide as its inputs {list(flow)}")  # fmt: skip
    return outputs


def _check_names(block: Block, op: AnyOp, widths: Widths) -> None:
    if op.name in widths:
        raise _error(op, "its name is taken in the block")
    if missing := [name for name in operands(op) if name not in widths]:
        raise _error(op, f"it reads {missing[0]!r}, which no op before it makes")
    for _, param in params(op):
        if len(param.names) != block.count:
            raise _error(op, f"it has {len(param.names)} weights for {block.count} runs")


def _check_runs(block: Block, op: AnyOp) -> None:
    """Numbers by run: as many as there are runs, or none."""
    numbers = op.windows if isinstance(op, Attention) else op.rows if isinstance(op, Rotary) else ()
    _require(op, len(numbers) in (0, block.count), f"it has {len(numbers)} numbers for {block.count} runs")


def _check_op(op: AnyOp, widths: Widths, tables: Mapping[str, PositionTable]) -> None:
    match op:
        case Linear():
            _check_linear(op, widths[op.x])
        case Norm():
            _check_norm(op)
        case Map():
            _require(op, len(op.samples) == MAP_SAMPLES, f"it has {len(op.samples)} samples, not 257")
        case Affine():
            _require(op, abs(op.offset) * 2**ACTIVATION_FRAC <= INT32_MAX,
                     f"its offset {op.offset:g} is beyond 32,768")  # fmt: skip
        case Slice():
            _check_width(op, op.start, LANES)
            _require(op, op.start + op.width <= widths[op.x], f"it ends behind {op.x!r}")
        case Concat():
            for part in op.parts:
                _check_width(op, widths[part], LANES)
            _same(op, sum(widths[part] for part in op.parts), op.width)
        case Rotary():
            _check_rotary(op, tables)
        case Attention():
            _check_attention(op, widths)
        case Quantize() | Rescale():
            raise _error(op, "the graph already has number formats")
        case Embed() | PositionEmbed():
            _same(op, op.table.shape[1], op.width)
        case Add() | Mul() | AddParam() | MulParam():
            _check_pointwise(op, widths)


def _check_linear(op: Linear, cols: int) -> None:
    _check_width(op, cols, GROUP, "its input of {} elements is not a multiple of {}")
    _require(op, op.weight.shape == (op.width, cols),
             f"its weight {list(op.weight.shape)} is not [{op.width}, {cols}]")  # fmt: skip
    _require(op, (op.weight.scale, op.weight.offset) == (1.0, 0.0),
             "its weight is scaled, which packed weights cannot be")  # fmt: skip


def _check_norm(op: Norm) -> None:
    _check_width(op, op.segment, LANES)
    _require(op, 0 <= op.eps <= MAX_EPS, f"its eps {op.eps:g} is not between 0 and {MAX_EPS}")
    _require(
        op,
        op.width % op.segment == 0,
        f"its {op.width} elements are not a multiple of its segment of {op.segment}",
    )


def _check_pointwise(op: Add | Mul | AddParam | MulParam, widths: Widths) -> None:
    for name in operands(op):
        _same(op, widths[name], op.width)
    for _, param in params(op):
        _same(op, param.shape[-1], op.width)


def _check_rotary(op: Rotary, tables: Mapping[str, PositionTable]) -> None:
    _same(op, op.heads * op.head_dim, op.width)
    _check_width(op, op.head_dim, LANES)
    if op.table not in tables:
        raise _error(op, f"there is no position table {op.table!r}")
    _require(op, op.rotary_dim % 8 == 0 and op.rotary_dim <= op.head_dim,
             f"it rotates {op.rotary_dim} of {op.head_dim} elements, not a multiple of 8")  # fmt: skip
    rows = tables[op.table].width // (2 * op.rotary_dim)
    _same(op, tables[op.table].width, 2 * op.rotary_dim * rows)
    _require(op, max(op.rows, default=0) < rows and bool(op.rows) == (rows > 1),
             f"its table holds {rows} rows, of which it uses {list(op.rows)}")  # fmt: skip


def _check_attention(op: Attention, widths: Widths) -> None:
    _check_width(op, op.head_dim, LANES)
    _same(op, widths[op.q], op.heads * op.head_dim)
    _same(op, op.width, op.heads * op.head_dim)
    _same(op, widths[op.k], op.kv_heads * op.head_dim)
    _same(op, widths[op.v], op.kv_heads * op.head_dim)
    _require(op, op.heads % op.kv_heads == 0, f"{op.heads} heads do not share {op.kv_heads} KV heads evenly")
    _check_scores(op)
    bound = op.head_dim * 127**2 * 255**2 * abs(attention_scale(op.scale))
    _require(op, bound < 2**62, f"its scale {op.scale:g} is too large for 64-bit scores")


def _check_scores(op: Attention) -> None:
    """What happens to scores between the product with the keys and the softmax."""
    low, high = CAP_LIMITS
    _require(op, op.cap == 0 or low <= op.cap <= high,
             f"its soft cap {op.cap:g} is not between {low:g} and {high:g}")  # fmt: skip
    _require(op, len(op.slopes) in (0, op.heads), f"it has {len(op.slopes)} slopes for {op.heads} heads")
    steep = max(map(abs, op.slopes), default=0.0)
    _require(op, steep <= SLOPE_LIMIT, f"a slope of {steep:g} is beyond {SLOPE_LIMIT:g}")
    _require(op, min(op.windows, default=1) >= 1, "a window sees no position")
    _require(op, op.sinks is None or op.sinks.shape == (op.heads,), f"its sinks are not {op.heads} numbers")


def _check_head(graph: Graph, flow: tuple[int, ...]) -> None:
    head = graph.blocks[-1]
    if flow != (graph.vocab_size,):
        raise StbuildError(
            f"the last block {head.name!r} makes {list(flow)}, not the {graph.vocab_size} logits"
        )
    if found := [op for op in head.ops if isinstance(op, Attention)]:
        raise _error(found[0], "attention in the last block, which runs for the last token only")
    if head.count != 1:
        raise StbuildError(f"the last block {head.name!r} runs {head.count} times, not once")


def _check_width(op: AnyOp, width: int, unit: int, text: str = "its size {} is not a multiple of {}") -> None:
    if width % unit:
        raise _error(op, text.format(width, unit), hint=PAD)


def _same(op: AnyOp, width: int, wanted: int) -> None:
    _require(op, width == wanted, f"it has {width} elements, needs {wanted}")


def _require(op: AnyOp, holds: bool, message: str) -> None:
    if not holds:
        raise _error(op, message)


def _error(op: AnyOp, message: str, hint: str | None = None) -> StbuildError:
    return StbuildError(f"{type(op).__name__} {op.name!r}: {message}", where=op.origin or None, hint=hint)
