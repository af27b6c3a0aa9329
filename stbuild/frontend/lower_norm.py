"""Lowerings of RMS norm and layer norm, as operators and written out with mean, rsqrt and products."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from stbuild.frontend import expression, lower_scores
from stbuild.frontend.arguments import check_keywords
from stbuild.frontend.builder import describe
from stbuild.frontend.call import Call, same_layout
from stbuild.frontend.formula import text_of
from stbuild.frontend.parameters import is_per_element
from stbuild.frontend.untyped import FxTarget, FxValue
from stbuild.frontend.values import BASE, Centered, Expr, Normed, Scores, Statistic, Value, Vec, Weight

_aten = torch.ops.aten
_CENTRED = "variance"
_PROBES = torch.tensor([1e-4, 1e-2, 1.0, 10.0, 1e4], dtype=torch.float64)

_AS_GOOD = 5e-3
"""How far 1 / (sqrt(mean) + eps) may be from 1 / sqrt(mean + eps'): less than 8 bits show."""
_THE_SAME = 1e-5
"""Factors this near are one and the same; a difference beyond is kept, and told by the float check."""
_NO_NORM = "a vector is divided by something that is not sqrt(mean of squares + eps)"


def mean(call: Call) -> Statistic:
    """`aten.mean.dim` over the last dimension: of x, of its square or of its centred square."""
    return _reduced(call, BASE)


def total(call: Call) -> Statistic | Scores:
    """`aten.sum.dim_IntList`: the mean times the length; or the sum of a softmax written out."""
    if isinstance(call.args[0], Scores):
        return lower_scores.total(call)
    found = _reduced(call, BASE)
    return replace(found, function=_of(found, _aten.mul.Tensor, found.function, float(found.segment)))


def variance(call: Call) -> Statistic:
    """`aten.var.correction`."""
    x = call.builder.whole(call.low.tensor(call.args[0]))
    found = _statistic(call, x, call.argument(1, "dim"), _CENTRED, BASE)
    correction = call.argument(2, "correction")
    left = found.segment - float(1 if correction is None else correction)
    if left <= 0:
        raise call.error(f"a variance of {found.segment} elements less {correction}")
    return replace(found, function=_of(found, _aten.mul.Tensor, BASE, found.segment / left))


def deviation(call: Call) -> Statistic:
    """`aten.std.correction`: the root of the variance."""
    found = variance(call)
    return replace(found, function=_of(found, _aten.sqrt.default, found.function))


def vector_norm(call: Call) -> Statistic:
    """`aten.linalg_vector_norm` over the last dimension: the root of the sum of squares."""
    order = call.argument(1, "ord", 2)
    if order is not None and float(order) != 2:
        raise call.error("only the norm of order 2 has a lowering")
    source = call.args[0]
    centred_one = isinstance(source, Centered)
    x = source.x if centred_one else call.builder.whole(call.low.tensor(source))
    kind = _CENTRED if centred_one else "square"
    found = _statistic(call, x, call.argument(2, "dim"), kind, BASE)
    squares = _of(found, _aten.mul.Tensor, BASE, float(found.segment))
    return replace(found, function=_of(found, _aten.sqrt.default, squares))


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
    _check_place(call, source, statistic)
    eps, gain, exact = _fitted(call, statistic)
    return Normed(x=source, segment=statistic.segment, eps=eps, center=centred, gain=gain, exact=exact)


def centred(call: Call, value: Value, statistic: Statistic) -> Centered:
    """`value - mean(value)`."""
    x = call.builder.whole(call.low.tensor(value))
    same = torch.allclose(_at(statistic, _PROBES), _PROBES)
    if statistic.kind != "mean" or not same or not same_layout(x, statistic.x):
        raise call.error(
            "a number computed from a vector is subtracted from it, in a way that is no known norm"
        )
    _check_place(call, x, statistic)
    return Centered(x=x, segment=statistic.segment)


def divided(call: Call, value: Value, statistic: Statistic) -> Value:
    """`value / statistic`."""
    inverse = _of(statistic, _aten.reciprocal.default, statistic.function)
    return scaled(call, value, replace(statistic, function=inverse))


def applied(call: Call, statistic: Statistic) -> Statistic:
    """A pointwise operator on a statistic and numbers."""
    args = tuple(statistic.function if a is statistic else a for a in call.args)
    return replace(statistic, function=_of(statistic, call.target, *args, **call.kwargs))


def multiplied(call: Call, value: Normed) -> Normed | None:
    """A norm without weight multiplied or divided by a number; None for any other operands."""
    check_keywords(call)
    match expression.target_name(call.target), [a for a in call.args if not isinstance(a, Normed)]:
        case "mul", [int() | float() as number]:
            return replace(value, gain=value.gain * number)
        case "div", [int() | float() as number] if isinstance(call.args[0], Normed):
            return replace(value, gain=value.gain / number)
    return None


def weighted(call: Call, value: Normed, weight: Weight) -> Normed | None:
    """A norm times a parameter of its segment's length, if the norm has none yet."""
    taken = value.weight is not None or value.bias is not None
    if taken or not is_per_element(weight, value.x.index, value.segment):
        return None
    return replace(value, weight=weight)


def biased(call: Call, value: Normed, bias: Weight) -> Normed | None:
    """A norm plus a parameter of its segment's length, if the norm has none yet."""
    taken = value.weight is None or value.bias is not None
    if taken or not is_per_element(bias, value.x.index, value.segment):
        return None
    return replace(value, bias=bias)


def _normed(call: Call, weight: FxValue, bias: FxValue, eps: float, center: bool) -> Normed:
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


def _reduced(call: Call, function: FxValue) -> Statistic:
    x, kind = _reducible(call, call.args[0])
    return _statistic(call, x, call.argument(1, "dim"), kind, function)


def _statistic(call: Call, x: Vec, dims: FxValue, kind: str, function: FxValue) -> Statistic:
    """A number for each row of the last dimension, which must be what is reduced."""
    rank = x.index.ndim
    if dims is None or [d % rank for d in ([dims] if isinstance(dims, int) else dims)] != [rank - 1]:
        raise call.error("only the last dimension can be reduced")
    segment = _segment(call, x)
    index = (x.index[..., 0] // segment).reshape(call.shape)
    return Statistic(x=x, segment=segment, kind=kind, index=index, function=function)


def _check_place(call: Call, x: Vec, statistic: Statistic) -> None:
    """Refuse a statistic that is combined with elements of another segment."""
    wanted = x.index // statistic.segment
    try:
        met = np.broadcast_to(statistic.index, wanted.shape)
    except ValueError:
        met = np.full_like(wanted, -1)
    if not np.array_equal(met, wanted):
        raise call.error(
            f"a number computed from each {statistic.segment} elements meets other elements than those",
            hint="reduce with keepdim=True, and do not rearrange the result",
        )


def _reducible(call: Call, value: FxValue) -> tuple[Vec, str]:
    """The vector that `value` is, or whose square or centred square it is, and which of these."""
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
    return segment


def _of(statistic: Statistic, target: FxTarget, *args: FxValue, **kwargs: FxValue) -> Expr:
    """`target(*args)` as a function of a statistic's number."""
    return Expr(base=statistic.x, target=target, args=args, kwargs=tuple(sorted(kwargs.items())))


def _at(statistic: Statistic, points: torch.Tensor) -> torch.Tensor:
    """The statistic's function at the float64 `points`."""
    return expression.evaluate(statistic.function, points)


def _fitted(call: Call, statistic: Statistic) -> tuple[float, float, str]:
    """eps and gain with function(t) = gain / sqrt(t + eps); if it differs, the formula of function / gain."""
    exact = _at(statistic, _PROBES)
    inverse = exact**-2
    at_zero = float(_at(statistic, torch.zeros(1, dtype=torch.float64))[0] ** -2)
    slope = (float(inverse[3]) - at_zero) / 10.0
    if not (slope > 0 and math.isfinite(at_zero)):
        raise call.error(_NO_NORM)
    eps, gain = at_zero / slope, 1 / math.sqrt(slope)
    if not (torch.allclose(inverse, (_PROBES + eps) * slope, rtol=_AS_GOOD) and eps >= 0):
        raise call.error(_NO_NORM)
    rounded = float(f"{gain:.9g}")
    gain = 1.0 if abs(rounded - 1) < 1e-5 else rounded
    same = torch.allclose(gain * (_PROBES + eps) ** -0.5, exact, rtol=_THE_SAME, atol=0)
    formula = "" if same else text_of(_of(statistic, _aten.div.Tensor, statistic.function, gain))
    return float(f"{eps:.9g}"), gain, formula


TABLE: dict[FxTarget, Callable[[Call], FxValue]] = {
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
