"""Lowerings of operators that work element by element: sums, products and functions of one value."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from stbuild.frontend import lower_norm, lower_parameters, lower_rotary, lower_scores
from stbuild.frontend.arguments import check_keywords, shape_of
from stbuild.frontend.builder import describe
from stbuild.frontend.call import Call, same_layout
from stbuild.frontend.expression import target_name
from stbuild.frontend.gates import broadcast_together, parameter_of
from stbuild.frontend.lower_linear import plus_parameter
from stbuild.frontend.untyped import FxTarget, FxValue
from stbuild.frontend.values import (
    BASE,
    Cached,
    CacheMemory,
    Centered,
    Expr,
    Normed,
    PositionProduct,
    Scores,
    Static,
    Statistic,
    Tokens,
    Value,
    Vec,
    Weight,
)  # fmt: skip
from stbuild.ops.add import Add
from stbuild.ops.affine import Affine
from stbuild.ops.mul import Mul
from stbuild.ops.mul_param import MulParam

_aten = torch.ops.aten


def function(call: Call) -> FxValue:
    """Any pointwise operator: a function of one value, or a sum or product of two."""
    call = replace(call, args=tuple(call.low.number(a) for a in call.args))
    values = [a for a in call.args if isinstance(a, Value)]
    if any(isinstance(v, Scores) for v in values):
        return lower_scores.function(call)
    if any(isinstance(v, Cached) for v in values):
        return lower_scores.scaled_keys(call)
    if lower_parameters.are_parameters(call):
        return lower_parameters.function(call)
    special = _special(call, values)
    if special is None:
        special = _with_parameter(call, values)
    if special is not None:
        return special
    for value in values:
        if isinstance(value, Weight | Static | CacheMemory | Tokens | PositionProduct):
            raise call.error(f"a {describe(value)} has no lowering here")
    parts = [_expression(call, v) for v in values]
    bases = [base for base, _ in parts]
    if all(_same_base(bases[0], b) for b in bases[1:]):
        return _function_of(call, bases[0], iter([p for _, p in parts]))
    return _of_two(call, values)


def applied(call: Call, target: FxTarget, *args: FxValue, **kwargs: FxValue) -> FxValue:
    """`target(*args)` as a step of the operator at hand."""
    shapes = [shape for a in args if (shape := shape_of(a)) is not None]
    shape = tuple(np.broadcast_shapes(*shapes)) if shapes else call.shape
    return function(replace(call, target=target, args=args, kwargs=kwargs, shape=shape))


def _special(call: Call, values: list[FxValue]) -> FxValue:
    """Norms, rotary embeddings and parameters, each of which has rules of its own."""
    name = target_name(call.target)
    if len(values) == 1:
        return _with_numbers(call, values[0])
    if len(values) != 2 or len(call.args) != 2 or call.kwargs.get("alpha", 1) != 1:
        return None
    if call.kwargs.get("rounding_mode"):
        return None
    a, b = values
    match name:
        case "mul":
            return _product(call, a, b) or _product(call, b, a)
        case "add":
            return _sum(call, a, b) or _sum(call, b, a)
        case "sub" if isinstance(b, Statistic):
            return lower_norm.centred(call, a, b)
        case "sub" if isinstance(a, PositionProduct) and isinstance(b, PositionProduct):
            return lower_rotary.subtracted(call, a, b)
        case "div" if isinstance(b, Statistic):
            return lower_norm.divided(call, a, b)
    return None


def _product(call: Call, a: FxValue, b: FxValue) -> FxValue:
    match a, b:
        case Normed(), Weight():
            return lower_norm.weighted(call, a, b) or _scaled_by(call, a, b)
        case _, Statistic() if not isinstance(a, Weight | Static | Statistic):
            return lower_norm.scaled(call, a, b)
        case _, Static() if not isinstance(a, Weight | Static | Statistic):
            return lower_rotary.times_position(call, a, b)
        case _, Weight() if not isinstance(a, Weight | Static | Statistic):
            return _scaled_by(call, a, b)
    return None


def _sum(call: Call, a: FxValue, b: FxValue) -> FxValue:
    match a, b:
        case Normed(), Weight():
            return lower_norm.biased(call, a, b) or plus_parameter(call, call.builder.whole(a), b)
        case PositionProduct(), PositionProduct():
            return lower_rotary.added(call, a, b)
        case _, Weight() if not isinstance(a, Weight | Static | Statistic):
            return plus_parameter(call, call.builder.whole(call.low.tensor(a)), b)
    return None


def _with_numbers(call: Call, value: FxValue) -> FxValue:
    """A statistic or a norm without weight with numbers."""
    if isinstance(value, Normed) and value.weight is None:
        return lower_norm.multiplied(call, value)
    if isinstance(value, Statistic):
        return lower_norm.applied(call, value)
    return None


def _scaled_by(call: Call, value: FxValue, weight: Weight) -> Vec:
    x = call.builder.whole(call.low.tensor(value))
    by = parameter_of(call, weight, x)
    if by is None:
        raise call.error(
            f"a vector of {x.width} elements times parameter {weight.name!r} {list(weight.shape)}"
        )
    return call.builder.like(x, MulParam, x=x.source, param=by)


def _with_parameter(call: Call, values: list[FxValue]) -> FxValue:
    """Differences and quotients of a vector and a parameter, as sums and products."""
    if len(call.args) != 2 or len(values) != 2 or sum(isinstance(v, Weight) for v in values) != 1:
        return None
    a, b = values
    check_keywords(call, "alpha")
    alpha = float(call.kwargs.get("alpha", 1))
    plain = replace(call, kwargs={})
    match target_name(call.target):
        case "add" | "sub" as name:
            b = applied(plain, _aten.mul.Tensor, b, -alpha if name == "sub" else alpha)
            return applied(plain, _aten.add.Tensor, a, b)
        case "div" if isinstance(b, Weight):
            return applied(plain, _aten.mul.Tensor, a, applied(plain, _aten.reciprocal.default, b))
        case "div":
            return applied(plain, _aten.mul.Tensor, applied(plain, _aten.reciprocal.default, b), a)
    return None


def _expression(call: Call, value: FxValue) -> tuple[Vec | Centered, FxValue]:
    match value:
        case Expr():
            return value.base, value
        case Centered():
            return value, BASE
        case Statistic():
            raise call.error("a mean is used in a way that is no known norm")
    return call.low.tensor(value), BASE


def _same_base(a: Vec | Centered, b: Vec | Centered) -> bool:
    if isinstance(a, Vec) and isinstance(b, Vec):
        return same_layout(a, b)
    return a is b


def _function_of(call: Call, base: Vec | Centered, parts: FxValue) -> Expr:
    args = tuple(next(parts) if isinstance(a, Value) else a for a in call.args)
    if isinstance(base, Vec) and base.index.size == math.prod(call.shape):
        base = replace(base, index=base.index.reshape(call.shape))
    return Expr(base=base, target=call.target, args=args, kwargs=tuple(sorted(call.kwargs.items())))


def _of_two(call: Call, values: list[FxValue]) -> Vec:
    name = target_name(call.target)
    if len(values) != 2 or name not in ("add", "sub", "mul", "div"):
        raise call.error(
            "a function of several values has no lowering",
            hint="sums, products, quotients, maxima, minima and lerp do",
        )
    check_keywords(call, "alpha")
    a, b = aligned(call, *values)
    factor = float(call.kwargs.get("alpha", 1)) * (-1.0 if name == "sub" else 1.0)
    if name == "div":
        inverse = Expr(base=b, target=_aten.reciprocal.default, args=(BASE,))
        b = call.builder.vec(inverse)
    if factor != 1:
        b = call.builder.like(b, Affine, x=b.source, scale=factor)
    return call.builder.like(a, Mul if name in ("mul", "div") else Add, a=a.source, b=b.source)


def aligned(call: Call, first: FxValue, second: FxValue) -> tuple[Vec, Vec]:
    """The two with the same elements in the same places."""
    both = broadcast_together(call, call.low.tensor(first), call.low.tensor(second))
    if both is not None:
        return both
    a, b = call.builder.whole(first), call.builder.whole(second)
    for x, y in ((a, b), (call.builder.ordered(a), call.builder.ordered(b))):
        if x.index.size == y.index.size == math.prod(call.shape) and x.width == y.width:
            x, y = (replace(v, index=v.index.reshape(call.shape)) for v in (x, y))
            if np.array_equal(x.index, y.index):
                return x, y
    raise call.error(
        f"vectors of {a.width} and {b.width} elements meet, whose elements do not stand in one order"
    )


TABLE: dict[FxTarget, Callable[[Call], FxValue]] = {_aten.hardswish.default: function}
"""What has not PyTorch's tag `pointwise`, by which the others are known."""
