"""Gives operators the values of parameters that have no memory, as they read them."""

from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from stbuild.frontend.untyped import FxTarget, FxValue

_aten = torch.ops.aten
_GATHERS = {_aten.embedding.default: (0, 1), _aten.index_select.default: (0, 2), _aten.index.Tensor: (0, 1)}
"""Operators that read rows of a parameter: the places of the parameter and of the row numbers."""

Seen = Callable[[Tensor], None]
"""Is shown each tensor that an operator makes."""


class Parameters(Protocol):
    """The values of a module's parameters."""

    def whole(self, name: str, shape: torch.Size) -> Tensor:
        """A parameter in float32."""
        ...

    def rows(self, name: str, rows: Tensor, shape: torch.Size) -> Tensor:
        """Some of its rows, [*rows.shape, width]."""
        ...


class ParameterFetching(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch is untyped here
    """Puts a parameter's values in its place as an operator reads it.

    `owners` has the name of each parameter by the id of the tensor that stands for it.
    """

    def __init__(self, owners: Mapping[int, str], parameters: Parameters, seen: Seen | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch is untyped here
        self.owners, self.parameters, self.seen = owners, parameters, seen

    def __torch_dispatch__(
        self, func: FxTarget, types: object, args: FxValue = (), kwargs: FxValue = None
    ) -> FxValue:
        kwargs = kwargs or {}
        made = self._gathered(func, args)
        if made is None:
            made = func(*self._filled(args), **self._filled(kwargs))
        if self.seen is not None:
            for tensor in made if isinstance(made, list | tuple) else (made,):
                if isinstance(tensor, Tensor):
                    self.seen(tensor)
        return made

    def _gathered(self, func: FxTarget, args: FxValue) -> Tensor | None:
        """Rows of a parameter, without the others."""
        places = _GATHERS.get(func)
        name = self.owners.get(id(args[places[0]])) if places and len(args) > places[1] else None
        if places is None or name is None:
            return None
        rows = args[places[1]]
        if func is _aten.index.Tensor:
            rows = rows[0] if len(rows) == 1 else None
        if not isinstance(rows, Tensor) or rows.dtype == torch.bool:
            return None
        if func is _aten.index_select.default and args[1] != 0:
            return None
        return self.parameters.rows(name, rows, args[places[0]].shape)

    def _filled(self, data: FxValue) -> FxValue:
        if isinstance(data, Tensor):
            name = self.owners.get(id(data))
            return data if name is None else self.parameters.whole(name, data.shape)
        if isinstance(data, list | tuple):
            return type(data)(self._filled(item) for item in data)
        if isinstance(data, dict):
            return {k: self._filled(v) for k, v in data.items()}
        return data
