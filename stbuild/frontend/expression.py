"""Functions of one variable: evaluated in float64, and judged by how they can be tabulated."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from stbuild.frontend.untyped import FxTarget, FxValue
from stbuild.frontend.values import BASE, Expr, Function

GRID = torch.linspace(-16.0, 16.0, 257, dtype=torch.float64)
"""Where a Map is sampled."""
_STEPS = (torch.arange(771, dtype=torch.float64) * 0.6180339887498949) % 1
BETWEEN = torch.linspace(-16.0, 16.0, 772, dtype=torch.float64)[:-1] + _STEPS * (32 / 771)
"""Three points or so in every segment, each at another place of it, so that no ripple passes unseen."""
_FAR = torch.tensor([-1000.0, -300.0, -100.0, -32.0, 32.0, 100.0, 300.0, 1000.0], dtype=torch.float64)
CLAMPS = ("clamp", "clamp_min", "clamp_max", "hardtanh")
"""Operators that bound a value from below, above or both."""
_ENDLESS = 1e300
_EXTRAPOLATION = 1e-3
_INTERPOLATION = 1e-2


@dataclass(frozen=True, kw_only=True)
class Line:
    """`scale * x + offset`."""

    scale: float
    offset: float


def evaluate(expr: FxValue, x: Tensor) -> Tensor:
    """The expression at the float64 points `x`; numbers stand for themselves."""
    if expr is BASE:
        return x
    if not isinstance(expr, Expr):
        return torch.as_tensor(expr, dtype=torch.float64)
    args = [evaluate(a, x) if a is BASE or isinstance(a, Expr) else a for a in expr.args]
    return expr.target(*as_declared(expr.target, args), **dict(expr.kwargs))


def samples(expr: Expr) -> tuple[float, ...]:
    """The 257 values that a Map of the expression holds."""
    return tuple(float(y) for y in evaluate(expr, GRID).expand(257))


def finite(expr: Expr) -> bool:
    """True if the expression has a value everywhere on the grid."""
    return all(math.isfinite(y) for y in samples(expr))


def line(expr: Expr) -> Line | None:
    """The line that the expression is, or None."""
    x = torch.cat([GRID, BETWEEN, _FAR])
    y = evaluate(expr, x).expand(x.shape)
    if not bool(torch.isfinite(y).all()):
        return None
    at_zero, at_one = (
        float(evaluate(expr, torch.tensor([v], dtype=torch.float64)).flatten()[0]) for v in (0.0, 1.0)
    )
    scale, offset = at_one - at_zero, at_zero
    if not bool(torch.allclose(y, scale * x + offset, rtol=1e-7, atol=1e-9 * (1 + abs(offset)))):
        return None
    return Line(scale=scale, offset=offset)


def is_square(expr: Expr) -> bool:
    """True if the expression is x * x."""
    x = torch.cat([GRID, BETWEEN])
    return bool(torch.allclose(evaluate(expr, x).expand(x.shape), x * x))


def tabulates(expr: Expr) -> bool:
    """True if 256 segments, the outer two extended, approximate the expression everywhere."""
    if not finite(expr) or not _on_grid(expr):
        return False
    y = evaluate(expr, GRID)
    low, high = _slope(y[0], y[1]), _slope(y[255], y[256])
    ends = torch.where(_FAR < 0, y[0] + low * (_FAR + 16), y[256] + high * (_FAR - 16))
    exact = evaluate(expr, _FAR)
    scale = exact.abs().clamp(min=float(y.abs().max()) * 0.1 + 1e-9)
    if not bool(((ends - exact).abs() <= _EXTRAPOLATION * scale).all()):
        return False
    x = torch.cat([(GRID[1:] + GRID[:-1]) / 2, BETWEEN])
    between = evaluate(expr, x).expand(x.shape)
    segment = ((x + 16) * 8).floor().long().clamp(0, 255)
    straight = y[segment] + (y[segment + 1] - y[segment]) * ((x + 16) * 8 - segment)
    floor = min(1.0, float(y.abs().max()))
    return bool(((straight - between).abs() <= _INTERPOLATION * between.abs().clamp(min=floor)).all())


def bounds(expr: Expr) -> tuple[float | None, float | None]:
    """The least and the greatest value of a clamp, each None if there is none."""
    alone = replace(expr, args=(BASE, *expr.args[1:]))
    low, high = evaluate(alone, torch.tensor([-_ENDLESS, _ENDLESS], dtype=torch.float64)).tolist()
    return (None if low == -_ENDLESS else low), (None if high == _ENDLESS else high)


def name_of(expr: Expr) -> str:
    """The function's usual name, or that of its outermost operator."""
    y = torch.tensor(samples(expr), dtype=torch.float64)
    for name, function in _KNOWN.items():
        if bool(torch.allclose(y, function(GRID), rtol=1e-6, atol=1e-9)):
            return name
    return target_name(expr.target)


def target_name(target: FxTarget) -> str:
    """`silu` for `aten.silu.default`."""
    return str(getattr(target, "__name__", target)).split(".")[0].strip("_")


def _on_grid(expr: FxValue) -> bool:
    """False if a clamp has a corner between the points of the grid, which would round it off."""
    if not isinstance(expr, Expr):
        return True
    inner = expr.args[0]
    if target_name(expr.target) in CLAMPS:
        straight = line(inner) if isinstance(inner, Expr) else Line(scale=1.0, offset=0.0)
        if straight is not None and straight.scale != 0:
            corners = [(b - straight.offset) / straight.scale for b in bounds(expr) if b is not None]
            if any(abs(c) > 16 or not (8 * c).is_integer() for c in corners):
                return False
    return all(map(_on_grid, expr.args))


def as_declared(target: FxTarget, args: list[FxValue]) -> list[FxValue]:
    """`args` with numbers as tensors where the operator takes nothing else."""
    schema = getattr(target, "_schema", None)
    kinds = [str(a.type) for a in schema.arguments] if schema else []
    wanted = [kind == "Tensor" for kind in kinds] + [False] * len(args)
    return [
        torch.tensor(a, dtype=torch.float64) if tensor and isinstance(a, int | float) else a
        for a, tensor in zip(args, wanted, strict=False)
    ]


def _slope(a: Tensor, b: Tensor) -> Tensor:
    """A segment's slope with the 16 fraction bits that it has on the card."""
    return torch.round((b - a) * 8 * 65536) / 65536


_functional = torch.nn.functional
_KNOWN: dict[str, Function] = {
    "silu": _functional.silu,
    "gelu": _functional.gelu,
    "gelu_tanh": lambda x: _functional.gelu(x, approximate="tanh"),
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "exp": torch.exp,
}
