"""Lowerings of functions of two or three vectors, by sums, products and the greater of a vector and 0."""

from collections.abc import Callable
from dataclasses import replace

import torch

from stbuild.frontend import lower_parameters
from stbuild.frontend.call import Call
from stbuild.frontend.lower_pointwise import applied, function
from stbuild.frontend.untyped import FxTarget, FxValue
from stbuild.frontend.values import Scores, Value

_aten = torch.ops.aten


def maximum(call: Call) -> FxValue:
    """`aten.maximum`: a + relu(b - a), which is exact; a clamp where one is a number."""
    return _extreme(call, _aten.clamp_min.default, 1.0)


def minimum(call: Call) -> FxValue:
    """`aten.minimum`: a - relu(a - b)."""
    return _extreme(call, _aten.clamp_max.default, -1.0)


def lerp(call: Call) -> FxValue:
    """`aten.lerp`: a + weight * (b - a)."""
    start, end, weight = (call.low.number(a) for a in call.args[:3])
    if lower_parameters.are_parameters(call):
        return lower_parameters.function(call)
    way = applied(call, _aten.sub.Tensor, end, start)
    return applied(call, _aten.add.Tensor, start, applied(call, _aten.mul.Tensor, way, weight))


def sum_of_product(call: Call) -> FxValue:
    """`aten.addcmul`: x + value * a * b."""
    if lower_parameters.are_parameters(call):
        return lower_parameters.function(call)
    x, a, b = call.args[:3]
    product = applied(call, _aten.mul.Tensor, a, b)
    factor = call.argument(3, "value", 1)
    if factor != 1:
        product = applied(call, _aten.mul.Tensor, product, float(factor))
    return applied(call, _aten.add.Tensor, x, product)


def _extreme(call: Call, clamp: FxValue, sign: float) -> FxValue:
    a, b = (call.low.number(v) for v in call.args[:2])
    if isinstance(a, Scores) or isinstance(b, Scores) or lower_parameters.are_parameters(call):
        return function(call)
    if not isinstance(a, Value) or not isinstance(b, Value):
        vec, number = (a, b) if isinstance(a, Value) else (b, a)
        return function(replace(call, target=clamp, args=(vec, float(number))))
    more = applied(call, _aten.sub.Tensor, *((b, a) if sign > 0 else (a, b)))
    above = applied(call, _aten.relu.default, more)
    return applied(call, _aten.add.Tensor if sign > 0 else _aten.sub.Tensor, a, above)


TABLE: dict[FxTarget, Callable[[Call], FxValue]] = {
    **dict.fromkeys((_aten.maximum.default, _aten.max.other, _aten.fmax.default), maximum),
    **dict.fromkeys((_aten.minimum.default, _aten.min.other, _aten.fmin.default), minimum),
    _aten.lerp.Scalar: lerp,
    _aten.lerp.Tensor: lerp,
    _aten.addcmul.default: sum_of_product,
}
"""Lowerings of functions of several values."""
