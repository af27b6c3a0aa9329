"""Lowerings of operators that arrange elements: views, slices, copies and concatenation."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from stbuild.frontend import expression, lower_parameters, lower_scores
from stbuild.frontend.builder import describe
from stbuild.frontend.call import Call
from stbuild.frontend.index import LAYOUT
from stbuild.frontend.lower_rotary import joined_pairs, signed
from stbuild.frontend.untyped import FxTarget, FxValue
from stbuild.frontend.values import (
    Cached,
    Expr,
    Index,
    Joined,
    PositionProduct,
    Rotated,
    Scores,
    Signed,
    Static,
    Statistic,
    Tokens,
    Value,
    Vec,
    Weight,
)  # fmt: skip

_aten = torch.ops.aten
_CUTS = {
    _aten.slice.Tensor, _aten.select.int, _aten.chunk.default, _aten.split.Tensor,
    _aten.split_with_sizes.default, _aten.unbind.int,
}  # fmt: skip


def arrange(call: Call) -> FxValue:
    """A layout operator on whatever value: only the element numbers move."""
    source = call.args[0]
    if isinstance(source, Tokens):
        return _arrange_tokens(call, source)
    if any(isinstance(a, torch.dtype) and not a.is_floating_point for a in _plain_arguments(call)):
        raise call.error("a vector of the token is turned into integers or truth values")
    match source:
        case Statistic():
            return _each(_arranged(call, source.index), lambda i: replace(source, index=i))
        case Weight():
            return lower_parameters.function(call)
        case Cached():
            return replace(source, index=_cached_index(call, source))
        case Scores():
            return _each(_arranged(call, source.index), lambda i: replace(source, index=i))
        case PositionProduct():
            return _arrange_product(call, source)
        case Expr(base=Vec() as base) if call.target not in _CUTS or not _stretched(source):
            return _each(_arranged(call, base.index), lambda i: replace(source, base=replace(base, index=i)))
        case Rotated(interleaved=True, x=Vec(index=pairs)) if pairs.shape[-1] == 2:
            return _each(_arranged(call, pairs), lambda i: replace(source, x=replace(source.x, index=i)))
        case Signed() | Joined() if (some := signed(source)) and isinstance(some, Signed):
            return _arrange_signed(call, some)
    if _moves_nothing(call):
        return source
    vec = call.low.tensor(source)
    return _each(_arranged(call, vec.index), lambda i: replace(vec, index=i))


def concatenate(call: Call) -> Value:
    """`aten.cat`: stays a `Joined` until it is known whether it is part of a rotary embedding."""
    parts, dim = tuple(call.args[0]), call.argument(1, "dim", 0)
    if all(isinstance(p, PositionProduct) for p in parts):
        return joined_pairs(call, parts, dim)
    if len(parts) == 1:
        value: Value = parts[0]
        return value
    if any(isinstance(p, Scores) for p in parts):
        return lower_scores.with_sinks(call, parts, dim)
    for part in parts:
        if isinstance(part, Weight | Cached | Tokens):
            raise call.error(f"a {describe(part)} cannot be concatenated")
    return Joined(parts=parts, dim=dim)


def stack(call: Call) -> Value:
    """`aten.stack`: what `concatenate` makes of the parts with one more dimension."""
    parts, dim = tuple(call.args[0]), call.argument(1, "dim", 0)
    if all(isinstance(p, PositionProduct) for p in parts):
        return joined_pairs(call, parts, dim, stacked=True)
    return Joined(parts=tuple(_with_dimension(call, p, dim) for p in parts), dim=dim)


def filled(call: Call) -> Static:
    """`aten.full_like` and its kin: a constant of the shape of a vector."""
    known = {_aten.zeros_like.default: 0.0, _aten.ones_like.default: 1.0}
    known |= {_aten.new_zeros.default: 0.0, _aten.new_ones.default: 1.0}
    number = known[call.target] if call.target in known else call.args[-1]
    dtype = call.kwargs.get("dtype")
    return call.low.statics.apply(
        _aten.full.default, (list(call.shape), number), {} if dtype is None else {"dtype": dtype}
    )


def _stretched(value: Expr) -> bool:
    """Whether a value is more than a vector or its negative: it is computed before its parts move."""
    straight = expression.line(value)
    return straight is None or abs(straight.scale) != 1


def _with_dimension(call: Call, value: FxValue, dim: int) -> Value:
    base = value.base if isinstance(value, Expr) else None
    vec = base if isinstance(base, Vec) else call.low.tensor(value)
    wide = replace(vec, index=np.expand_dims(vec.index, dim))
    return replace(value, base=wide) if vec is base else wide


def _plain_arguments(call: Call) -> tuple[FxValue, ...]:
    return (*call.args[1:], *call.kwargs.values())


def _arranged(call: Call, index: Index) -> FxValue:
    return LAYOUT[call.target](index, *call.args[1:], shape=call.shape, **call.kwargs)


def _each(results: FxValue, make: FxValue) -> FxValue:
    return tuple(make(i) for i in results) if isinstance(results, tuple) else make(results)


def _moves_nothing(call: Call) -> bool:
    return LAYOUT[call.target] is LAYOUT[_aten.clone.default]


def _cached_index(call: Call, source: Cached) -> Index:
    key = (id(source.index), call.target, str(call.args[1:]), call.shape)
    if key not in call.low.cached_views:
        call.low.cached_views[key] = _arranged(call, source.index)
    return call.low.cached_views[key]


def _arrange_tokens(call: Call, tokens: Tokens) -> Tokens:
    """Token ids stay one after the other."""
    moved = _arranged(call, tokens.index)
    if isinstance(moved, tuple) or not np.array_equal(moved.reshape(-1), np.arange(call.builder.tokens)):
        raise call.error("token ids are rearranged before they are embedded")
    return replace(tokens, index=moved)


def _arrange_signed(call: Call, value: Signed) -> FxValue:
    """Signs move with their elements."""
    indices, signs = _arranged(call, value.x.index), _arranged(call, value.sign)
    if isinstance(indices, tuple):
        pairs = zip(indices, signs, strict=True)
        return tuple(Signed(x=replace(value.x, index=i), sign=s) for i, s in pairs)
    return Signed(x=replace(value.x, index=indices), sign=signs)


def _arrange_product(call: Call, product: PositionProduct) -> PositionProduct:
    if _moves_nothing(call):
        return product
    raise call.error("a vector is rearranged in the middle of its rotary embedding")


_FILLED = (
    _aten.full_like.default, _aten.zeros_like.default, _aten.ones_like.default, _aten.new_full.default,
    _aten.new_zeros.default, _aten.new_ones.default,
)  # fmt: skip
TABLE: dict[FxTarget, Callable[[Call], FxValue]] = {
    **dict.fromkeys(LAYOUT, arrange),
    _aten.cat.default: concatenate,
    _aten.stack.default: stack,
    **dict.fromkeys(_FILLED, filled),
}
