"""Runs the module that was given, in float32, on weights that are fetched when an operator needs them."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import PreTrainedModel
from transformers.cache_utils import CacheLayerMixin

from stbuild.frontend.hollow import without_storage
from stbuild.frontend.kvcache import cache_of
from stbuild.frontend.model_code import model_code
from stbuild.frontend.trace import call, use_sdpa

_aten = torch.ops.aten
_GATHERS = {_aten.embedding.default: (0, 1), _aten.index_select.default: (0, 2), _aten.index.Tensor: (0, 1)}
"""Operators that read rows of a parameter: the places of the parameter and of the row numbers."""


class Parameters(Protocol):
    """The values of a module's parameters."""

    def whole(self, name: str, shape: torch.Size) -> Tensor:
        """A parameter in float32."""
        ...

    def rows(self, name: str, rows: Tensor, shape: torch.Size) -> Tensor:
        """Some of its rows, [*rows.shape, width]."""
        ...


Seen = Callable[[Tensor], None]


def module_logits(
    model: nn.Module,
    parameters: Parameters,
    tokens: Sequence[int],
    start: int,
    context: int,
    seen: Seen | None = None,
) -> Tensor:
    """The logits [T, vocabulary] of `tokens` from position `start` on, behind keys and values of zero.

    `model` has parameters without memory; `seen` is shown each tensor that an operator makes.
    """
    if isinstance(model, PreTrainedModel):
        use_sdpa(model)
    ids = torch.tensor([list(tokens)])
    positions = torch.arange(start, start + len(tokens))[None]
    with without_storage(model) as names, torch.no_grad():
        owners = {id(p): names[n] for n, p in model.named_parameters(remove_duplicate=False)}
        cache = cache_of(_Layers(positions[0], context))
        what = f"{type(model).__name__} cannot be run with {len(tokens)} tokens at position {start}"
        with model_code(what), _Fetching(owners, parameters, seen):
            logits = call(model, ids, positions, cache, context)
    return logits[0].float().clone()


class _Fetching(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch is untyped here
    """Puts a parameter's values in its place as an operator reads it."""

    def __init__(self, owners: dict[int, str], parameters: Parameters, seen: Seen | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch is untyped here
        self.owners, self.parameters, self.seen = owners, parameters, seen

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        made = self._gathered(func, args)
        if made is None:
            made = func(*self._filled(args), **self._filled(kwargs))
        if self.seen is not None:
            for tensor in made if isinstance(made, list | tuple) else (made,):
                if isinstance(tensor, Tensor):
                    self.seen(tensor)
        return made

    def _gathered(self, func: Any, args: Any) -> Tensor | None:
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

    def _filled(self, data: Any) -> Any:
        if isinstance(data, Tensor):
            name = self.owners.get(id(data))
            return data if name is None else self.parameters.whole(name, data.shape)
        if isinstance(data, list | tuple):
            return type(data)(self._filled(item) for item in data)
        if isinstance(data, dict):
            return {k: self._filled(v) for k, v in data.items()}
        return data


class _Layer(CacheLayerMixin):  # type: ignore[no-untyped-call]  # transformers is untyped here
    """A layer's cache, whose other positions the new keys and values fill by repetition."""

    is_compileable = True
    is_sliding = False

    def __init__(self, position: Tensor, context: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # transformers is untyped here
        self.position = position
        self.context = context
        self.is_initialized = True

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Nothing to do."""

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Keys and values of all positions."""
        place = (torch.arange(self.context) - self.position[0]) % len(self.position)
        return key_states[:, :, place], value_states[:, :, place]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """The length of the cache and the position it starts at."""
        return self.context, 0

    def get_seq_length(self) -> Tensor:  # type: ignore[override]
        """The position of the first new token."""
        return self.position[0]

    def get_max_length(self) -> int:
        """The length of the cache."""
        return self.context


class _Layers(list[CacheLayerMixin]):
    """As many layers as are asked for; masks ask one from the start."""

    def __init__(self, position: Tensor, context: int) -> None:
        super().__init__([_Layer(position, context)])
        self.position, self.context = position, context

    def __getitem__(self, i: Any) -> Any:
        while isinstance(i, int) and i >= len(self):
            self.append(_Layer(self.position, self.context))
        return super().__getitem__(i)
