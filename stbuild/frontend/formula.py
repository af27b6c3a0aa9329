"""A function of one value as text: nested calls of ATen operators on `x`."""

import math
from typing import Any

import torch

from stbuild.errors import StbuildError
from stbuild.frontend.values import BASE, Expr


def text_of(function: Any) -> str:
    """Such as `aten.mul.Tensor(x, 2.0)`; `stbuild.reference.formula` evaluates it."""
    if function is BASE:
        return "x"
    if isinstance(function, Expr):
        named = (f"{name}={text_of(value)}" for name, value in function.kwargs if value is not None)
        return f"{function.target}({', '.join((*map(text_of, function.args), *named))})"
    if isinstance(function, list | tuple):
        return f"[{', '.join(map(text_of, function))}]"
    if isinstance(function, float) and not math.isfinite(function):
        return f"-{_INFINITE}" if function < 0 else _INFINITE if function > 0 else "nan"
    if isinstance(function, torch.dtype):
        return repr(str(function))
    if function is None or isinstance(function, bool | int | float | str):
        return repr(function)
    raise StbuildError(f"a function of a {type(function).__name__} cannot be written down")


_INFINITE = "inf"
