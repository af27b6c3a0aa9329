"""Refuses a module that keeps a tensor from one call and reads it in the next: a graph holds one call."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import unset_fake_temporarily

from stbuild.errors import StbuildError

Place = tuple[nn.Module, str]


def refuse_kept_tensors(model: nn.Module, call: Callable[[], object]) -> None:
    """Run `call`, a call of `model`; raise StbuildError if a second one reads a tensor that it has set.

    What it sets is taken back: it may be of no use outside, as the tensors of a FakeTensorMode are.
    """
    before = _tensors(model)
    with tensors_restored(model):
        call()
        names = {module: path for path, module in model.named_modules()}
        new = [place for place, tensor in _tensors(model).items() if before.get(place) is not tensor]
        for module, name in new:
            _put(module, name, _Kept.of(f"{names[module]}.{name}".lstrip(".")))
        if new:
            call()


@contextmanager
def tensors_restored(model: nn.Module) -> Iterator[None]:
    """The tensors among attributes and buffers are at the end what they were."""
    before = _tensors(model)
    try:
        yield
    finally:
        for (module, name), tensor in _tensors(model).items():
            if (module, name) not in before:
                delattr(module, name)
            elif tensor is not before[module, name]:
                _put(module, name, before[module, name])


class _Kept(Tensor):
    """Raises a StbuildError at any use but to ask its type."""

    said: str

    @staticmethod
    def of(name: str) -> "_Kept":
        """In the place of the attribute `name`."""
        with unset_fake_temporarily():
            kept = torch.zeros(()).as_subclass(_Kept)
        kept.said = f"the model keeps the tensor {name!r} from one call and reads it in the next"
        return kept

    @classmethod
    def __torch_function__(
        cls, func: object, types: object, args: tuple[object, ...] = (), kwargs: object = None
    ) -> object:
        """Every operator and attribute of the tensor comes here."""
        kept = next(each for each in _flat((args, kwargs)) if isinstance(each, _Kept))
        raise StbuildError(
            object.__getattribute__(kept, "__dict__")["said"],
            hint="only the KV cache may last from call to call: compute it in `__init__` or in every call",
        )


def _flat(value: object) -> Iterator[object]:
    if isinstance(value, tuple | list):
        for each in value:
            yield from _flat(each)
    elif isinstance(value, dict):
        yield from _flat(tuple(value.values()))
    else:
        yield value


def _tensors(model: nn.Module) -> dict[Place, Tensor]:
    """Attributes and buffers of all modules that are tensors; parameters are none of them."""
    return {
        (module, name): value
        for module in model.modules()
        for name, value in (*vars(module).items(), *module._buffers.items())
        if isinstance(value, Tensor)
    }


def _put(module: nn.Module, name: str, tensor: Tensor) -> None:
    place = module._buffers if name in module._buffers else vars(module)
    place[name] = tensor
