"""Lowerings of linear layers and embeddings."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from stbuild.frontend import lower_scores, static
from stbuild.frontend.builder import describe, param
from stbuild.frontend.call import Call
from stbuild.frontend.gates import parameter_of
from stbuild.frontend.untyped import FxTarget, FxValue
from stbuild.frontend.values import Static, Tokens, Value, Vec, Weight
from stbuild.ops.add_param import AddParam
from stbuild.ops.embed import Embed
from stbuild.ops.linear import Linear
from stbuild.ops.position_embed import PositionEmbed

_aten = torch.ops.aten


def linear(call: Call) -> Vec:
    """`aten.linear`: weight [N, K]."""
    return _linear(call, call.args[0], call.args[1], call.argument(2, "bias"))


def product(call: Call) -> Value:
    """`aten.mm`, `aten.bmm` and `aten.matmul`: by a parameter [K, N], or a step of attention."""
    step = lower_scores.product(call, *call.args[:2])
    if step is not None:
        return step
    return _linear(call, call.args[0], _transposed(call, call.args[1]), None)


def sum_and_product(call: Call) -> Vec:
    """`aten.addmm`: bias, x, weight [K, N]."""
    return _linear(call, call.args[1], _transposed(call, call.args[2]), call.args[0])


def embedding(call: Call) -> Vec:
    """Rows of a parameter by token id or by position."""
    table, at = call.args[0], call.args[1]
    if isinstance(table, Vec) and isinstance(at, list | tuple):
        return _picked(call, table, tuple(at))
    at = at[0] if isinstance(at, list | tuple) and len(at) == 1 else at
    if not isinstance(table, Weight) or len(table.shape) != 2 or table.transposed:
        raise call.error(
            f"rows of a {describe(table)} are gathered; only those of a parameter [rows, width] can be"
        )
    if table.name in call.builder.derivations.made:
        raise call.error(f"the embedding {table.name!r} is computed from parameters, which has no lowering")
    width = table.shape[1]
    if isinstance(at, Tokens):
        return call.builder.emit(Embed, width, call.shape, table=param(table, table.shape))
    offset = _offset(call, at) if isinstance(at, Static) else None
    if offset is None:
        raise call.error(
            "rows of a parameter are gathered by something that is neither token id nor position"
        )
    rows, context = table.shape[0] - offset, call.low.context
    if rows < context:
        raise call.error(
            f"the position embedding {table.name!r} has {rows:,} rows, the context is {context:,}",
            hint=f"set `context` in BUILD.yaml to {rows} or less",
        )
    return call.builder.emit(PositionEmbed, width, call.shape, table=param(table, table.shape), offset=offset)


def _picked(call: Call, vec: Vec, at: tuple[FxValue, ...]) -> Vec:
    """Elements of a vector by numbers that are the same for every token."""
    if any(a is not None and (not isinstance(a, Static) or a.on_position) for a in at):
        raise call.error("elements of a vector of the token are gathered by numbers that are not constant")
    where = tuple(slice(None) if a is None else static.constant(a).numpy() for a in at)
    return replace(vec, index=np.asarray(vec.index[where]))


def _linear(call: Call, x: FxValue, weight: FxValue, bias: FxValue) -> Vec:
    if not isinstance(weight, Weight) or len(weight.shape) != 2:
        raise call.error(
            f"a vector is multiplied by a {describe(weight)}; only by parameters [rows, columns] it can be"
        )
    if weight.scale != 1 or weight.offset != 0 or weight.name in call.builder.derivations.made:
        raise call.error(f"the matrix {weight.name!r} is computed from, which has no lowering")
    vec = call.builder.ordered(call.low.tensor(x))
    width, columns = weight.shape
    if vec.width != columns or not bool((vec.index.reshape(-1) == np.arange(vec.index.size)).all()):
        raise call.error(f"the input of {weight.name!r} is not one vector of {columns} elements in order")
    made = call.builder.emit(Linear, width, call.shape, x=vec.source, weight=param(weight, weight.shape))
    return made if bias is None else plus_parameter(call, made, bias)


def plus_parameter(call: Call, x: Vec, bias: FxValue) -> Vec:
    """`x` plus a parameter of the same width."""
    added = parameter_of(call, bias, x) if isinstance(bias, Weight) else None
    if added is None:
        raise call.error(f"a vector of {x.width} elements plus a {describe(bias)}, which is not as wide")
    return call.builder.like(x, AddParam, x=x.source, param=added)


def _transposed(call: Call, weight: FxValue) -> FxValue:
    if not isinstance(weight, Weight) or len(weight.shape) != 2:
        raise call.error(
            f"two computed tensors are multiplied as matrices (a vector by a {describe(weight)})",
            hint="attention reads its keys and values from the KV cache",
        )
    return replace(weight, shape=weight.shape[::-1], transposed=not weight.transposed)


def _offset(call: Call, at: Static) -> int | None:
    """What is added to the position, if `at` is a position and a number that is not negative."""
    rows = static.evaluate((at,), call.low.context, call.builder.tokens)
    found = {int(row.reshape(-1)[0]) - position for position, (row,) in enumerate(rows)}
    offset = found.pop()
    return offset if not found and offset >= 0 else None


TABLE: dict[FxTarget, Callable[[Call], FxValue]] = {
    _aten.linear.default: linear,
    _aten.mm.default: product,
    _aten.bmm.default: product,
    _aten.matmul.default: product,
    _aten.addmm.default: sum_and_product,
    _aten.embedding.default: embedding,
    _aten.index.Tensor: embedding,
}
