"""Operators on parameters alone: `scale * w + offset`, or else what is computed when weights are packed."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from stbuild.frontend.call import Call
from stbuild.frontend.expression import target_name
from stbuild.frontend.formula import call_text, text_of
from stbuild.frontend.index import LAYOUT, expand, identity, view
from stbuild.frontend.untyped import FxValue
from stbuild.frontend.values import Static, Value, Weight
from stbuild.ir.derived import Derived

TURNS = {
    torch.ops.aten.permute.default,
    torch.ops.aten.transpose.int,
    torch.ops.aten.t.default,
    torch.ops.aten.numpy_T.default,
}
_IN_ORDER = (view, identity)
_SQUARE = np.array([[0, 0], [1, 1]])
_MOST = 1 << 20
"""Elements of a parameter whose order is looked at; larger ones are matrices."""


def are_parameters(call: Call) -> bool:
    """True if the operator's only tensors are parameters, but for numbers."""
    values = [call.low.number(v) for v in _leaves((call.args, tuple(call.kwargs.values())))]
    tensors = [v for v in values if isinstance(v, Value)]
    return bool(tensors) and all(isinstance(v, Weight) for v in tensors)


def function(call: Call) -> FxValue:
    """A parameter, or several, computed from parameters."""
    call = replace(call, args=tuple(call.low.number(a) for a in call.args))
    weights = [a for a in call.args if isinstance(a, Weight)]
    if len(weights) == 1 and not call.kwargs and (affine := _affine(call, weights[0])):
        return affine
    if call.target in LAYOUT:
        return _arranged(call, call.args[0])
    return _derived(call, _text(call, call.args), call.shape)


def _affine(call: Call, weight: Weight) -> Weight | None:
    """A multiple of a parameter plus a number, which every op's parameter may be."""
    name, first = target_name(call.target), call.args[0] is weight
    numbers: list[FxValue] = [a for a in call.args if a is not weight]
    if len(numbers) != 1 or not isinstance(numbers[0], int | float) or call.shape != weight.shape:
        return None
    number = float(numbers[0])
    match name:
        case "add":
            return replace(weight, offset=weight.offset + number)
        case "mul":
            return replace(weight, scale=weight.scale * number, offset=weight.offset * number)
        case "div" if first and number:
            return replace(weight, scale=weight.scale / number, offset=weight.offset / number)
        case "sub" if first:
            return replace(weight, offset=weight.offset - number)
        case "sub":
            return replace(weight, scale=-weight.scale, offset=number - weight.offset)
    return None


def _arranged(call: Call, weight: Weight) -> FxValue:
    """A layout operator; the parameter stays what it is when no element moves, or a matrix is transposed."""
    size = math.prod(weight.shape)
    if call.target in TURNS and len(weight.shape) == 2:
        transposed = bool(LAYOUT[call.target](_SQUARE, *call.args[1:], shape=(2, 2), **call.kwargs)[0, 1])
        return replace(weight, shape=call.shape, transposed=weight.transposed ^ transposed)
    if LAYOUT[call.target] in _IN_ORDER and math.prod(call.shape) == size:
        return replace(weight, shape=call.shape)
    if _is_repeated_by_token(call, weight):
        return replace(weight, shape=call.shape)
    if size > _MOST or (LAYOUT[call.target] is view and math.prod(call.shape) != size):
        raise call.error(
            f"parameter {weight.name!r} is rearranged from {list(weight.shape)} to {list(call.shape)}"
        )
    index = np.arange(size).reshape(weight.shape)
    moved = LAYOUT[call.target](index, *call.args[1:], shape=call.shape, **call.kwargs)
    text = _text(call, call.args)
    if isinstance(moved, tuple):
        parts = ((f"{text}[{i}]", tuple(part.shape)) for i, part in enumerate(moved))
        return tuple(_derived(call, each, shape) for each, shape in parts)
    if moved.size == index.size and np.array_equal(moved.reshape(-1), index.reshape(-1)):
        return replace(weight, shape=call.shape)
    return _derived(call, text, call.shape)


def _is_repeated_by_token(call: Call, weight: Weight) -> bool:
    """Whether `expand` repeats a parameter for each token of a prefill, and not otherwise."""
    if LAYOUT[call.target] is not expand or call.builder.tokens == 1:
        return False
    own = (*(1 for _ in range(len(call.shape) - len(weight.shape))), *weight.shape)
    return {n for n, o in zip(call.shape, own, strict=True) if n != o} == {call.builder.tokens}


def _derived(call: Call, text: str, shape: tuple[int, ...]) -> Weight:
    found = call.builder.derivations
    sources = sorted(set(_sources(call)))
    wish = f"{sources[0]}.{target_name(call.target)}"
    shapes = tuple(found.shapes[name] for name in sources)
    made = Derived(name=wish, sources=tuple(sources), shapes=shapes, formula=text)
    return Weight(name=found.add(made, shape), shape=shape)


def _sources(call: Call) -> Iterator[str]:
    """The checkpoint's tensors behind the operator's parameters."""
    for value in _leaves((call.args, tuple(call.kwargs.values()))):
        if isinstance(value, Weight):
            made = call.builder.derivations.made.get(value.name)
            yield from (value.name,) if made is None else made.sources


def _text(call: Call, arguments: tuple[FxValue, ...]) -> str:
    texts = [_argument(call, a) for a in arguments]
    return call_text(call.target, texts, {n: call.low.number(v) for n, v in call.kwargs.items()})


def _argument(call: Call, value: FxValue) -> str:
    value = call.low.number(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_argument(call, v) for v in value)}]"
    if isinstance(value, Weight):
        return _weight_text(call, value)
    if isinstance(value, Static):
        raise call.error("a parameter is computed with a constant tensor, which has no lowering")
    return text_of(value)


def _weight_text(call: Call, weight: Weight) -> str:
    found = call.builder.derivations
    made, shape = found.made.get(weight.name), found.shapes[weight.name]
    text = repr(weight.name) if made is None else made.formula
    if weight.transposed:
        text, shape = f"aten.t.default({text})", shape[::-1]
    if weight.shape != shape:
        text = f"aten.reshape.default({text}, {list(weight.shape)})"
    if weight.scale != 1:
        text = f"aten.mul.Tensor({text}, {weight.scale!r})"
    return f"aten.add.Tensor({text}, {weight.offset!r})" if weight.offset else text


def _leaves(data: object) -> Iterator[object]:
    if isinstance(data, list | tuple):
        for item in data:
            yield from _leaves(item)
    else:
        yield data
