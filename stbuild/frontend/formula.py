"""Writes functions as text: nested calls of ATen operators on `x`, or on parameters by their quoted names."""

import ast
import math
from collections.abc import Mapping
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from stbuild.errors import StbuildError
from stbuild.frontend.expression import as_declared
from stbuild.frontend.untyped import FxTarget, FxValue
from stbuild.frontend.values import BASE, Expr

_NAMED = {"inf": math.inf, "nan": math.nan}


def text_of(function: FxValue) -> str:
    """Such as `aten.mul.Tensor(x, 2.0)`; `stbuild.reference.formula` evaluates it."""
    if function is BASE:
        return "x"
    if isinstance(function, Expr):
        return call_text(function.target, map(text_of, function.args), dict(function.kwargs))
    if isinstance(function, list | tuple):
        return f"[{', '.join(map(text_of, function))}]"
    if isinstance(function, float) and not math.isfinite(function):
        return f"-{_INFINITE}" if function < 0 else _INFINITE if function > 0 else "nan"
    if isinstance(function, torch.dtype):
        return repr(str(function))
    if function is None or isinstance(function, bool | int | float | str):
        return repr(function)
    raise StbuildError(f"a function of a {type(function).__name__} cannot be written down")


def call_text(target: FxTarget, arguments: FxValue, kwargs: Mapping[str, FxValue]) -> str:
    """A call of `target` on `arguments`, which are text, and on numbers by keyword."""
    named = (f"{name}={text_of(value)}" for name, value in sorted(kwargs.items()) if value is not None)
    return f"{target}({', '.join((*arguments, *named))})"


def computed(formula: str, arrays: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """A formula of `arrays`, which it calls by their quoted names, in float64 until it is rounded."""
    tensors = {name: torch.from_numpy(array).double() for name, array in arrays.items()}
    values: NDArray[np.float32] = value_of(formula, tensors).float().contiguous().numpy()
    return values


def value_of(formula: str, tensors: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """A formula of `tensors`, which it calls by their quoted names, all float64."""
    result: torch.Tensor = _value(tensors, ast.parse(formula, mode="eval").body)
    return result


def _value(tensors: Mapping[str, torch.Tensor], node: ast.expr) -> FxValue:
    value = partial(_value, tensors)
    match node:
        case ast.Constant(value=str(text)):
            return torch.float64 if text.startswith("torch.") else tensors[text]
        case ast.Constant():
            return node.value
        case ast.Name(id=name):
            return _NAMED[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -value(operand)
        case ast.List(elts=items):
            return [value(item) for item in items]
        case ast.Subscript(value=many, slice=ast.Constant(value=number)):
            return value(many)[number]
        case ast.Call(func=ast.Attribute(value=ast.Attribute(attr=name), attr=overload)):
            operator = getattr(getattr(torch.ops.aten, name), overload)
            named = {str(k.arg): value(k.value) for k in node.keywords}
            return operator(*as_declared(operator, [value(a) for a in node.args]), **named)
    raise ValueError(f"no part of a formula: {ast.unparse(node)}")


_INFINITE = "inf"
