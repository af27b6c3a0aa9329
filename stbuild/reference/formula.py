"""Evaluates the formulas that a graph carries: nested calls of ATen operators on `x`."""

import ast
import math
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

_NAMED = {"inf": math.inf, "nan": math.nan}


def evaluate(formula: str, x: Tensor) -> Tensor:
    """The formula of every element of `x`, computed in float64 and given in the type of `x`."""
    wide = x.double()
    result: Tensor = _value(_parsed(formula), wide)
    return result.expand(x.shape).to(x.dtype)


@lru_cache(maxsize=256)
def _parsed(formula: str) -> ast.expr:
    return ast.parse(formula, mode="eval").body


def _value(node: ast.expr, x: Tensor) -> Any:
    match node:
        case ast.Name(id="x"):
            return x
        case ast.Name(id=name):
            return _NAMED[name]
        case ast.Constant(value=str(text)) if text.startswith("torch."):
            return torch.float64
        case ast.Constant():
            return node.value
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, x)
        case ast.List(elts=items):
            return [_value(item, x) for item in items]
        case ast.Call(func=ast.Attribute(value=ast.Attribute(attr=name), attr=overload)):
            operator = getattr(getattr(torch.ops.aten, name), overload)
            named = {str(k.arg): _value(k.value, x) for k in node.keywords}
            return operator(*_as_declared(operator, [_value(a, x) for a in node.args]), **named)
    raise ValueError(f"no part of a formula: {ast.unparse(node)}")


def _as_declared(operator: Any, args: list[Any]) -> list[Any]:
    """`args` with numbers as tensors where the operator takes nothing else."""
    declared = [str(a.type) == "Tensor" for a in operator._schema.arguments]
    return [
        torch.tensor(a, dtype=torch.float64) if tensor and isinstance(a, int | float) else a
        for a, tensor in zip(args, declared, strict=False)
    ]
