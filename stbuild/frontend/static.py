"""Values that depend on the position alone, computed for every position by running their subgraph."""

import hashlib
from collections.abc import Callable, Iterator

import torch

from stbuild.frontend.untyped import FxValue
from stbuild.frontend.values import Static


class Statics:
    """Makes `Static` values; the same operator on the same inputs is one value."""

    def __init__(self) -> None:
        self._known: dict[object, Static] = {}

    def position(self) -> Static:
        """The position ids, [1, tokens]."""
        return self._intern("position", on_position=True, target=None)

    def constant(self, tensor: torch.Tensor) -> Static:
        """A buffer; buffers of equal values are one, so that layers which each have one are equal."""
        data = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        key = ("constant", tensor.dtype, tuple(tensor.shape), hashlib.sha256(data).digest())
        return self._intern(key, on_position=False, target=None, constant=tensor)

    def apply(
        self, target: Callable[..., FxValue], args: tuple[FxValue, ...], kwargs: dict[str, FxValue]
    ) -> Static:
        """The result of an operator on static values and numbers."""
        named = tuple(sorted(kwargs.items()))
        inputs = list(leaves((args, named)))
        key = (target, _key(args), _key(named))
        return self._intern(
            key, on_position=any(i.on_position for i in inputs), target=target, args=args, kwargs=named
        )

    def _intern(self, key: object, **fields: FxValue) -> Static:
        if key not in self._known:
            self._known[key] = Static(key=len(self._known), **fields)
        return self._known[key]


def evaluate(values: tuple[Static, ...], context: int, tokens: int) -> Iterator[tuple[torch.Tensor, ...]]:
    """`values` for the first token at every position at which `tokens` tokens fit."""
    order = _in_order(values)
    fixed: dict[int, FxValue] = {}
    for value in order:
        if not value.on_position:
            fixed[value.key] = _run(value, fixed)
    moving = [v for v in order if v.on_position]
    for position in range(context - tokens + 1):
        known = dict(fixed)
        for value in moving:
            at = torch.arange(position, position + tokens)[None]
            known[value.key] = at if value.target is None else _run(value, known)
        yield tuple(known[v.key] for v in values)


def evaluated_at(value: Static, position: int, tokens: int) -> FxValue:
    """`value` for `tokens` tokens from `position` on."""
    known: dict[int, FxValue] = {}
    for step in _in_order((value,)):
        is_position = step.target is None and step.on_position
        known[step.key] = (
            torch.arange(position, position + tokens)[None] if is_position else _run(step, known)
        )
    return known[value.key]


def constant(value: Static) -> torch.Tensor:
    """The one value of something that does not depend on the position."""
    known: dict[int, FxValue] = {}
    for step in _in_order((value,)):
        known[step.key] = _run(step, known)
    result: torch.Tensor = known[value.key]
    return result


def leaves(data: object) -> Iterator[Static]:
    """All static values in nested tuples, lists and dicts."""
    if isinstance(data, Static):
        yield data
    elif isinstance(data, list | tuple):
        for item in data:
            yield from leaves(item)


def _run(value: Static, known: dict[int, FxValue]) -> FxValue:
    if value.target is None:
        return value.constant
    kwargs = {k: _filled(v, known) for k, v in value.kwargs}
    return value.target(*_filled(value.args, known), **kwargs)


def _filled(data: FxValue, known: dict[int, FxValue]) -> FxValue:
    if isinstance(data, Static):
        return known[data.key]
    if isinstance(data, list | tuple):
        return type(data)(_filled(item, known) for item in data)
    return data


def _in_order(values: tuple[Static, ...]) -> list[Static]:
    found: dict[int, Static] = {}

    def visit(value: Static) -> None:
        if value.key in found:
            return
        for item in leaves((value.args, value.kwargs)):
            visit(item)
        found[value.key] = value

    for value in values:
        visit(value)
    return list(found.values())


def _key(data: object) -> object:
    if isinstance(data, Static):
        return ("static", data.key)
    if isinstance(data, list | tuple):
        return tuple(_key(item) for item in data)
    return (type(data).__name__, str(data))
