"""What parameters and KV records are in memory: their values, and how many words they take."""

from collections.abc import Iterator

from stbuild.ir.fixed import PARAM_FRAC
from stbuild.ir.graph import AddParam, AnyOp, Attention, MulParam, Norm, Param
from stbuild.ir.plumbing import FixedParam
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


def fixed_params(op: AnyOp) -> Iterator[FixedParam]:
    """The parameters that `op` reads from its stream, in order."""
    match op:
        case Norm():
            found = (param for param in (op.weight, op.bias) if param is not None)
            yield from (FixedParam(param=param, frac=PARAM_FRAC) for param in found)
        case AddParam():
            yield FixedParam(param=op.param, frac=op.frac)
        case MulParam():
            yield FixedParam(param=op.param, frac=PARAM_FRAC)
        case Attention(sinks=Param() as sinks):
            yield FixedParam(param=sinks, frac=PARAM_FRAC)


def kv_record_words(op: Attention) -> tuple[int, int]:
    """Words of a K record (values, then scales of K and V) and of a V record."""
    values = op.kv_heads * -(-op.head_dim // KV_BYTES)
    return values + -(-op.kv_heads // SCALES), values
