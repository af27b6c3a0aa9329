"""Lowerings of RMS norm and layer norm, as operators and written out with mean, rsqrt and products."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from stbuild.frontend import expression, lower_scores
from stbuild.frontend.builder import describe
from stbuild.frontend.call import Call, same_layout
from stbuild.frontend.values import BASE, Centered, Expr, Normed, Scores, Statistic, Value, Vec, Weight

_aten = torch.ops.aten
_CENTRED = "variance"
_PROBES = torch.tensor([1e-4, 1e-2, 1.0, 10.0, 1e4], dtype=torch.float64)

_AS_GOOD = 5e-3
"""How far 1 / (sqrt(mean) + eps) may be from 1 / sqrt(mean + eps'): less than 8 bits show."""


def mean(call: Call) -> Statistic:
    """`aten.mean.dim` over the last dimension: of x, of its square or of its centred square."""
    return _reduced(call, lambda t: t)


def total(call: Call) -> Statistic | Scores:
    """`aten.sum.dim_IntList`: the mean times the length; or the sum of a softmax written out."""
    if isinstance(call.args[0], Scores):
        return lower_scores.total(call)
    length = _last(call).index.shape[-1]
    return _reduced(call, lambda t: t * length)


def variance(call: Call) -> Statistic:
    """`aten.var.correction`."""
    x = call.builder.whole(call.low.tensor(call.args[0]))
    segment = _segment(call, x)
    correction = float(call.kwargs.get("correction", 1) or 0)
    factor = segment / (segment - correction)
    return Statistic(x=x, segment=segment, kind=_CENTRED, function=lambda t: t * factor)


def deviation(call: Call) -> Statistic:
    """`aten.std.correction`: the root of the variance."""
    found = variance(call)
    return replace(found, function=lambda t: found.function(t).sqrt())


def vector_norm(call: Call) -> Statistic:
    """`aten.linalg_vector_norm` over the last dimension: the root of the sum of squares."""
    if float(call.argument(1, "ord", 2) or 2) != 2:
        raise call.error("only the norm of order 2 has a lowering")
    x = _last(call)
    _check_last(call, x, call.argument(2, "dim"))
    source, segment = call.args[0], _segment(call, x)
    kind = _CENTRED if isinstance(source, Centered) else "square"
    return Statistic(x=x, segment=segment, kind=kind, function=lambda t: (t * segment).sqrt())


def rms_norm(call: Call) -> Normed:
    """`aten.rms_norm`."""
    eps = call.argument(3, "eps")
    return _normed(
        call, call.argument(2, "weight"), None, torch.finfo(torch.float32).eps if eps is None else eps, False
    )


def layer_norm(call: Call) -> Normed:
    """`aten.layer_norm`."""
    return _normed(
        call, call.argument(2, "weight"), call.argument(3, "bias"), call.argument(4, "eps", 1e-5), True
    )


def native_layer_norm(call: Call) -> tuple[Normed]:
    """`aten.native_layer_norm`, of whose results only the first is lowered."""
    return (_normed(call, call.args[2], call.args[3], call.args[4], True),)


def scaled(call: Call, value: Value, statistic: Statistic) -> Value:
    """`value * statistic`: a norm, if the statistic is 1 / sqrt(mean + eps) of that very value."""
    x = value if isinstance(value, Centered) else call.builder.whole(call.low.tensor(value))
    source = x.x if isinstance(x, Centered) else x
    centred = isinstance(x, Centered)
    if not same_layout(source, statistic.x) or statistic.kind != (_CENTRED if centred else "square"):
        raise call.error(
            "a vector is multiplied by a number computed from it, in a way that is no known norm"
        )
    eps, gain = _fitted(call, statistic)
    return Normed(x=source, segment=statistic.segment, eps=eps, center=centred, gain=gain)


def centred(call: Call, value: Value, statistic: Statistic) -> Centered:
    """`value - mean(value)`."""
    x = call.builder.whole(call.low.tensor(value))
    same = torch.allclose(statistic.function(_PROBES), _PROBES)
    if statistic.kind != "mean" or not same or not same_layout(x, statistic.x):
        raise call.error(
            "a number computed from a vector is subtracted from it, in a way that is no known norm"
        )
    return Centered(x=x, segment=statistic.segment)


def multiplied(call: Call, value: Normed) -> Normed | None:
    """A norm without weight times or by a number, if that is what is asked for."""
    match expression.target_name(call.target), [a for a in call.args if not isinstance(a, Normed)]:
        case "mul", [int() | float() as number]:
            return replace(value, gain=value.gain * number)
        case "div", [int() | float() as number] if isinstance(call.args[0], Normed):
            return replace(value, gain=value.gain / number)
    return None


def weighted(call: Call, value: Normed, weight: Weight) -> Normed | None:
    """A norm times a parameter of its segment's length, if the norm has none yet."""
    if value.weight is not None or value.bias is not None or int(np.prod(weight.shape)) != value.segment:
        return None
    return replace(value, weight=weight)


def biased(call: Call, value: Normed, bias: Weight) -> Normed | None:
    """A norm plus a parameter of its segment's length, if the norm has none yet."""
    if value.weight is None or value.bias is not None or int(np.prod(bias.shape)) != value.segment:
        return None
    return replace(value, bias=bias)


def _normed(call: Call, weight: Any, bias: Any, eps: float, center: bool) -> Normed:
    x = call.builder.whole(call.low.tensor(call.args[0]))
    segment = _segment(call, x)
    if list(call.args[1]) != [segment]:
        raise call.error(f"a norm over the dimensions {list(call.args[1])}, not over the last one")
    for value in (weight, bias):
        if value is not None and not isinstance(value, Weight):
            raise call.error(f"a norm's weight or bias is a {describe(value)}, not a parameter")
    if weight is None and bias is not None:
        raise call.error("a norm with a bias but no weight")
    return Normed(x=x, segment=segment, eps=float(eps), center=center, weight=weight, bias=bias)


def _last(call: Call) -> Vec:
    """The vector whose last dimension is reduced."""
    source = call.args[0]
    if isinstance(source, Centered):
        return source.x
    if isinstance(source, Expr) and isinstance(source.base, Centered):
        return source.base.x
    return call.builder.whole(call.low.tensor(source) if not isinstance(source, Expr) else source.base)


def _reduced(call: Call, function: Any) -> Statistic:
    _check_last(call, _last(call), call.argument(1, "dim"))
    x, kind = _reducible(call, call.args[0])
    return Statistic(x=x, segment=_segment(call, x), kind=kind, function=function)


def _check_last(call: Call, x: Vec, dims: Any) -> None:
    rank = x.index.ndim
    if dims is None or [d % rank for d in ([dims] if isinstance(dims, int) else dims)] != [rank - 1]:
        raise call.error("only the last dimension can be reduced")


def _reducible(call: Call, value: Any) -> tuple[Vec, str]:
    """The vector of which `value` is the square, the centred square, or which it is."""
    if not isinstance(value, Expr):
        return call.builder.whole(call.low.tensor(value)), "mean"
    if expression.is_square(value):
        base = value.base
        return (base.x, _CENTRED) if isinstance(base, Centered) else (call.builder.whole(base), "square")
    inner = value.args[0]
    of_inner = replace(value, args=tuple(BASE if a is inner else a for a in value.args))
    if isinstance(inner, Expr) and expression.is_square(of_inner):
        return call.builder.whole(inner), "square"
    return call.builder.whole(value), "mean"


def _segment(call: Call, x: Vec) -> int:
    segment = int(x.index.shape[-1])
    rows = x.index.reshape(-1, segment)
    if bool((rows[:, :1] % segment != 0).any()) or bool((np.diff(rows, axis=1) != 1).any()):
        raise call.error("a norm over elements that do not follow each other")
    if segment % 16:
        raise call.error(f"a norm over {segment} elements, which is not a multiple of 16")
    return segment


def _fitted(call: Call, statistic: Statistic) -> tuple[float, float]:
    """eps and gain with function(t) = gain / sqrt(t + eps)."""
    inverse = statistic.function(_PROBES) ** -2
    at_zero = float(statistic.function(torch.zeros(1, dtype=torch.float64))[0] ** -2)
    slope = (float(inverse[3]) - at_zero) / 10.0
    eps, gain = at_zero / slope, 1 / math.sqrt(slope)
    fits = torch.allclose(inverse, (_PROBES + eps) * slope, rtol=_AS_GOOD) and eps >= 0
    if not fits:
        raise call.error("a vector is divided by something that is not sqrt(mean of squares + eps)")
    rounded = float(f"{gain:.9g}")
    return float(f"{eps:.9g}"), 1.0 if abs(rounded - 1) < 1e-5 else rounded


TABLE: dict[Any, Any] = {
    _aten.mean.dim: mean,
    _aten.sum.dim_IntList: total,
    _aten.var.correction: variance,
    _aten.std.correction: deviation,
    _aten.linalg_vector_norm.default: vector_norm,
    _aten.norm.ScalarOpt_dim: vector_norm,
    _aten.rms_norm.default: rms_norm,
    _aten.layer_norm.default: layer_norm,
    _aten.native_layer_norm.default: native_layer_norm,
}
