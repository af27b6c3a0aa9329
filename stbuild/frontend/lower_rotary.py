"""Recognises rotary embedding: x * cos + rotate_half(x) * sin, or its two halves one by one."""

from dataclasses import replace

import numpy as np
import torch

from stbuild.frontend import expression
from stbuild.frontend.call import Call
from stbuild.frontend.values import (
    BASE,
    Expr,
    Index,
    Joined,
    Rotated,
    Static,
    Turned,
    Value,
    Vec,
)  # fmt: skip

_aten = torch.ops.aten


def times_position(call: Call, value: Value, factor: Static) -> Turned:
    """A vector times numbers that depend on the position."""
    if isinstance(value, Expr | Joined) and _signed(value) is None:
        value = call.builder.vec(value)
    if not isinstance(value, Vec | Joined | Expr):
        value = call.builder.vec(value)
    return Turned(terms=((value, factor),))


def added(call: Call, a: Turned, b: Turned) -> Value:
    """The sum of two such products: a rotary embedding if the second is of the rotated half."""
    terms = (*a.terms, *b.terms)
    if len(terms) != 2:
        raise call.error("a sum of more than two products with numbers that depend on the position")
    (x, cos), (y, sin) = terms
    return _rotated(call, x, cos, y, sin) or _rotated(call, y, sin, x, cos) or Turned(terms=terms)


def subtracted(call: Call, a: Turned, b: Turned) -> Value:
    """The difference of two such products."""
    terms = tuple((negated(call, v), s) for v, s in b.terms)
    return added(call, a, Turned(terms=terms))


def negated(call: Call, value: Vec | Joined | Expr) -> Expr:
    """Minus `value`."""
    if isinstance(value, Expr):
        return Expr(base=value.base, target=_aten.neg.default, args=(value,))
    return Expr(base=call.builder.vec(value), target=_aten.neg.default, args=(BASE,))


def joined_halves(call: Call, parts: tuple[Turned, ...], dim: int) -> Value:
    """cat(x1 * cos - x2 * sin, x2 * cos + x1 * sin): the rotary embedding of x1, x2."""
    if len(parts) == 2 and all(len(p.terms) == 2 for p in parts):
        (low1, low2), (high1, high2) = parts[0].terms, parts[1].terms
        for (a, cos), (b, sin) in ((low1, low2), (low2, low1)):
            for (c, cos2), (d, sin2) in ((high1, high2), (high2, high1)):
                if cos.key == cos2.key and sin.key == sin2.key and _halves(a, b, c, d):
                    return _turn_halves(call, (a, c), cos, sin, dim)
    raise call.error("numbers that depend on the position are used in a way that is no rotary embedding")


def _halves(a: Value, b: Value, c: Value, d: Value) -> bool:
    """True if a = x1, b = -x2, c = x2, d = x1."""
    signed = [_signed(v) for v in (a, b, c, d)]
    if any(s is None for s in signed):
        return False
    (sa, ia, na), (sb, ib, nb), (sc, ic, nc), (sd, id_, nd) = [s for s in signed if s is not None]
    one_source = sa == sb == sc == sd
    signs = bool((na > 0).all() and (nb < 0).all() and (nc > 0).all() and (nd > 0).all())
    return one_source and signs and bool(np.array_equal(ia, id_) and np.array_equal(ib, ic))


def _turn_halves(call: Call, halves: tuple[Value, Value], cos: Static, sin: Static, dim: int) -> Rotated:
    first, second = halves
    assert isinstance(first, Vec) and isinstance(second, Vec)
    twice = [call.low.statics.apply(_aten.cat.default, ([s, s], -1), {}) for s in (cos, sin)]
    index = np.concatenate([first.index, second.index], axis=dim)
    table = call.low.table(twice[0], twice[1])
    return Rotated(x=replace(first, index=index), table=table, half=first.index.shape[-1])


def _rotated(call: Call, x: Value, cos: Static, y: Value, sin: Static) -> Rotated | None:
    straight, turned = _signed(x), _signed(y)
    if straight is None or turned is None or not isinstance(x, Vec):
        return None
    source, index, sign = straight
    half = index.shape[-1] // 2
    other, rolled, turned_sign = turned
    expected = np.concatenate([index[..., half:], index[..., :half]], axis=-1)
    signs = np.concatenate([np.full(half, -1), np.full(half, 1)])
    fits = other == source and bool((sign > 0).all()) and bool(np.array_equal(rolled, expected))
    if not fits or not bool((turned_sign == signs).all()):
        return None
    return Rotated(x=x, table=call.low.table(cos, sin), half=half)


def _signed(value: Value) -> tuple[str, Index, Index] | None:
    """Source, element numbers and signs of a value that is elements of one vector, some negated."""
    match value:
        case Vec():
            return value.source, value.index, np.ones_like(value.index)
        case Expr(base=Vec() as base):
            straight = expression.line(value)
            if straight is None or straight.offset != 0 or abs(straight.scale) != 1:
                return None
            return base.source, base.index, np.full_like(base.index, int(straight.scale))
        case Joined():
            return _signed_parts(value)
    return None


def _signed_parts(value: Joined) -> tuple[str, Index, Index] | None:
    parts = [_signed(p) for p in value.parts]
    known = [p for p in parts if p is not None]
    if len(known) < len(parts) or any(p[0] != known[0][0] for p in known):
        return None
    index = np.concatenate([p[1] for p in known], axis=value.dim)
    return known[0][0], index, np.concatenate([p[2] for p in known], axis=value.dim)
