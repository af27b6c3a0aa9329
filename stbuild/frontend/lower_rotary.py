"""Recognises rotary embedding: x * cos + rotated(x) * sin, or the two elements of its pairs one by one.

A pair is two neighbours, or an element of the first half and one of the second.
"""

from dataclasses import replace

import numpy as np
import torch

from stbuild.frontend import expression
from stbuild.frontend.call import Call
from stbuild.frontend.values import Expr, Index, Joined, PositionProduct, Rotated, Signed, Static, Value, Vec

_aten = torch.ops.aten


def times_position(call: Call, value: Value, factor: Static) -> PositionProduct:
    """A vector times numbers that depend on the position."""
    vec: Vec | Signed = signed(value) or call.builder.vec(value)
    return PositionProduct(terms=((vec, factor),))


def added(call: Call, a: PositionProduct, b: PositionProduct) -> Value:
    """The sum of two such products: a rotary embedding if the second is of the pairs rotated."""
    terms = (*a.terms, *b.terms)
    if len(terms) != 2:
        raise call.error("a sum of more than two products with numbers that depend on the position")
    (x, cos), (y, sin) = terms
    return _rotated(call, x, cos, y, sin) or _rotated(call, y, sin, x, cos) or PositionProduct(terms=terms)


def subtracted(call: Call, a: PositionProduct, b: PositionProduct) -> Value:
    """The difference of two such products."""
    return added(call, a, PositionProduct(terms=tuple((_negated(v), s) for v, s in b.terms)))


def joined_pairs(call: Call, parts: tuple[PositionProduct, ...], dim: int, *, stacked: bool = False) -> Value:
    """(x1 * cos - x2 * sin, x2 * cos + x1 * sin), joined or stacked: the rotary embedding of x1, x2."""
    if len(parts) == 2 and all(len(p.terms) == 2 for p in parts):
        (low1, low2), (high1, high2) = parts[0].terms, parts[1].terms
        for (a, cos), (b, sin) in ((low1, low2), (low2, low1)):
            for (c, cos2), (d, sin2) in ((high1, high2), (high2, high1)):
                if cos.key == cos2.key and sin.key == sin2.key and _is_pair(a, b, c, d):
                    return _rotated_pair(call, (_plain(a), _plain(c)), (cos, sin), dim, stacked)
    raise call.error("numbers that depend on the position are used in a way that is no rotary embedding")


def signed(value: object) -> Vec | Signed | None:
    """`value` if it is elements of one vector, some negated."""
    match value:
        case Vec() | Signed():
            return value
        case Expr(base=Vec() as base):
            straight = expression.line(value)
            if straight is None or straight.offset != 0 or abs(straight.scale) != 1:
                return None
            return Signed(x=base, sign=np.full_like(base.index, int(straight.scale)))
        case Joined():
            return _signed_parts(value)
    return None


def _signed_parts(value: Joined) -> Signed | None:
    parts = [p for p in map(signed, value.parts) if p is not None]
    vecs = [_plain(p) for p in parts]
    if len(parts) < len(value.parts) or any(v.source != vecs[0].source for v in vecs):
        return None
    sign = np.concatenate([_sign(p) for p in parts], axis=value.dim)
    if bool((sign > 0).all()):
        return None
    return Signed(
        x=replace(vecs[0], index=np.concatenate([v.index for v in vecs], axis=value.dim)), sign=sign
    )


def _plain(value: Vec | Signed) -> Vec:
    return value.x if isinstance(value, Signed) else value


def _sign(value: Vec | Signed) -> Index:
    return value.sign if isinstance(value, Signed) else np.ones_like(value.index)


def _negated(value: Vec | Signed) -> Signed:
    return Signed(x=_plain(value), sign=-_sign(value))


def _is_pair(a: Vec | Signed, b: Vec | Signed, c: Vec | Signed, d: Vec | Signed) -> bool:
    """True if a = x1, b = -x2, c = x2, d = x1."""
    one_source = len({_plain(v).source for v in (a, b, c, d)}) == 1
    signs = [bool((_sign(v) * wanted > 0).all()) for v, wanted in ((a, 1), (b, -1), (c, 1), (d, 1))]
    same = [np.array_equal(_plain(v).index, _plain(w).index) for v, w in ((a, d), (b, c))]
    return one_source and all(signs) and all(same)


def _rotated_pair(
    call: Call, pair: tuple[Vec, Vec], factors: tuple[Static, Static], dim: int, stacked: bool
) -> Rotated:
    first, second = pair
    cos, sin = (_for_both(call, factor, stacked) for factor in factors)
    index = (np.stack if stacked else np.concatenate)([first.index, second.index], axis=dim)
    half = first.index.shape[-1]
    table = call.low.table(cos, sin, 2 * half)
    return Rotated(x=replace(first, index=index), table=table, half=half, interleaved=stacked)


def _for_both(call: Call, factor: Static, neighbours: bool) -> Static:
    """The factors of pairs as those of elements."""
    if neighbours:
        return call.low.statics.apply(_aten.repeat_interleave.self_int, (factor, 2, -1), {})
    return call.low.statics.apply(_aten.cat.default, ([factor, factor], -1), {})


def _rotated(call: Call, x: Vec | Signed, cos: Static, y: Vec | Signed, sin: Static) -> Rotated | None:
    """x * cos + y * sin, if y is x with its pairs rotated."""
    if not isinstance(x, Vec) or not isinstance(y, Signed) or y.x.source != x.source:
        return None
    half = x.index.shape[-1] // 2
    for interleaved in (False, True):
        index, sign = _pairs_rotated(x.index, interleaved)
        if np.array_equal(y.x.index, index) and bool((y.sign == sign).all()):
            table = call.low.table(cos, sin, 2 * half)
            return Rotated(x=x, table=table, half=half, interleaved=interleaved)
    return None


def _pairs_rotated(index: Index, interleaved: bool) -> tuple[Index, Index]:
    """Element numbers and signs of (-b, a) for every pair (a, b) of the last dimension."""
    size = index.shape[-1]
    if interleaved:
        number = np.arange(size) ^ 1 if size % 2 == 0 else np.arange(size)
        return index[..., number], np.where(np.arange(size) % 2, 1, -1)
    number = np.roll(np.arange(size), size // 2)
    return index[..., number], np.where(np.arange(size) < size // 2, -1, 1)
