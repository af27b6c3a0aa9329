"""What parameters, KV records and embeddings take of memory."""

from stbuild.ir.graph import AddParam, AnyOp, Attention, Embed, Graph, MulParam, Norm, PositionEmbed
from stbuild.ir.types import LANES, words_of

KV_BYTES = 64
"""int8 elements in one word of a KV record."""
SCALES = 16
"""Heads whose K and V scales share one word."""


def param_words(op: AnyOp) -> int:
    """Words of parameters that `op` reads from its parameter stream in each run."""
    match op:
        case Norm():
            return ((op.weight is not None) + (op.bias is not None)) * op.segment // LANES
        case AddParam() | MulParam():
            return words_of(op.width)
        case Attention():
            return words_of(op.heads) if op.sinks is not None else 0
        case _:
            return 0


def rows_of(op: Embed | PositionEmbed, graph: Graph) -> range:
    """The rows of an embedding's table that lie in memory: by position, those of the context."""
    if isinstance(op, Embed):
        return range(op.table.shape[0])
    return range(op.offset, op.offset + graph.context)


def kv_record_words(op: Attention) -> tuple[int, int]:
    """Words of a K record (values, then scales of K and V) and of a V record."""
    values = op.kv_heads * -(-op.head_dim // KV_BYTES)
    return values + -(-op.kv_heads // SCALES), values
