"""From a function of one value to ops: a straight line, a table, or its operators one by one."""

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from stbuild.frontend import expression
from stbuild.frontend.formula import text_of
from stbuild.frontend.untyped import FxValue
from stbuild.frontend.values import BASE, Expr, Vec
from stbuild.ops.add import Add
from stbuild.ops.affine import Affine
from stbuild.ops.map import Map
from stbuild.ops.mul import Mul

if TYPE_CHECKING:
    from stbuild.frontend.builder import Builder

_aten = torch.ops.aten


def function_vec(builder: "Builder", expr: Expr) -> Vec:
    """The ops that compute `expr`, a function of a vector of the token."""
    assert isinstance(expr.base, Vec)
    base = builder.whole(expr.base)
    straight = expression.line(expr)
    if straight and straight.scale == 1 and straight.offset == 0:
        return base
    if straight:
        return builder.like(base, Affine, x=base.source, scale=straight.scale, offset=straight.offset)
    if expression.tabulates(expr):
        return _map(builder, base, expr)
    return _by_parts(builder, base, expr)


def _map(builder: "Builder", base: Vec, expr: Expr) -> Vec:
    if not expression.finite(expr):
        raise builder.error("the function cannot be tabulated: it has no value somewhere between -16 and 16")
    if not expression.tabulates(expr):
        raise builder.error(
            "the function cannot be tabulated: it jumps or bends too much between -16 and 16,"
            " or is not a straight line outside"
        )
    values = expression.samples(expr)
    return builder.like(
        base, Map, x=base.source, function=expression.name_of(expr), samples=values, formula=text_of(expr)
    )


def _by_parts(builder: "Builder", base: Vec, expr: Expr) -> Vec:
    """Operators one by one: products and sums as such, the others as tables of their own."""
    parts = [_part(builder, base, a, expr) for a in expr.args if a is BASE or isinstance(a, Expr)]
    match expression.target_name(expr.target), expr.args:
        case "mul", _ if len(parts) == 2:
            return builder.like(base, Mul, a=parts[0].source, b=parts[1].source)
        case "add", _ if len(parts) == 2 and not expr.kwargs:
            return builder.like(base, Add, a=parts[0].source, b=parts[1].source)
        case "sub", _ if len(parts) == 2 and not expr.kwargs:
            minus = builder.like(base, Affine, x=parts[1].source, scale=-1.0)
            return builder.like(base, Add, a=parts[0].source, b=minus.source)
        case "div", _ if len(parts) == 2 and not expr.kwargs:
            inverse = Expr(base=parts[1], target=_aten.reciprocal.default, args=(BASE,))
            if not expression.finite(inverse):
                raise builder.error("a quotient whose divisor may be 0")
            return builder.like(base, Mul, a=parts[0].source, b=_map(builder, parts[1], inverse).source)
        case "clamp" | "clamp_min" | "clamp_max" | "hardtanh", _:
            return _clamped(builder, base, parts[0], expr)
        case "square", _:
            return _power(builder, parts[0], 2)
        case "pow", (_, int() | float() as power) if power in (2, 3, 4):
            return _power(builder, parts[0], int(power))
    if len(parts) != 1:
        raise builder.error("a function of several values")
    single = replace(expr, base=parts[0], args=tuple(BASE if isinstance(a, Expr) else a for a in expr.args))
    straight = expression.line(single)
    if straight:
        return builder.like(base, Affine, x=parts[0].source, scale=straight.scale, offset=straight.offset)
    return _map(builder, parts[0], single)


def _part(builder: "Builder", base: Vec, argument: FxValue, expr: Expr) -> Vec:
    return base if argument is BASE else builder.vec(replace(argument, base=base))


def _clamped(builder: "Builder", base: Vec, x: Vec, expr: Expr) -> Vec:
    """Between two numbers, by sums and maxima with 0, which are exact wherever the numbers lie."""
    low, high = expression.bounds(expr)
    if low is not None:
        above = _rectified(builder, _shifted(builder, x, 1.0, -low))
        x = _shifted(builder, above, 1.0, low)
    if high is not None:
        below = _rectified(builder, _shifted(builder, x, -1.0, high))
        x = _shifted(builder, below, -1.0, high)
    return replace(base, source=x.source)


def _shifted(builder: "Builder", x: Vec, scale: float, offset: float) -> Vec:
    """`scale * x + offset`."""
    if (scale, offset) == (1.0, 0.0):
        return x
    return builder.like(x, Affine, x=x.source, scale=scale, offset=offset)


def _rectified(builder: "Builder", x: Vec) -> Vec:
    """The greater of each element and 0."""
    return _map(builder, x, Expr(base=x, target=_aten.relu.default, args=(BASE,)))


def _power(builder: "Builder", x: Vec, power: int) -> Vec:
    product = x
    for _ in range(power - 1):
        product = builder.like(x, Mul, a=product.source, b=x.source)
    return product
