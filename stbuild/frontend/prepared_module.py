"""Prepares a user's module for tracing and restores it afterwards."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig

from stbuild.errors import StbuildError

HALVES = (torch.float16, torch.bfloat16)


@contextmanager
def prepared_for_export(module: nn.Module) -> Iterator[None]:
    """`module` in evaluation mode, with buffers on the CPU, halves among them in float32.

    Tracing sets modes, attention and rotary buffers: the attributes of all modules and configurations come
    back at the end. A copy would not do: functions that were put into a module refer to that module.
    """
    modules = [(each, dict(each.__dict__), dict(each._buffers)) for each in module.modules()]
    configs = {id(each): each for _, own, _ in modules for each in _configs(own)}.values()
    settings = [(each, dict(each.__dict__)) for each in configs]
    try:
        for path, each in module.named_modules():
            for name, buffer in each._buffers.items():
                if buffer is not None:
                    each._buffers[name] = _on_cpu(buffer, f"{path}.{name}".lstrip("."))
        module.eval()
        yield
    finally:
        for each, own, buffers in modules:
            each.__dict__.clear()
            each.__dict__.update(own)
            each._buffers.clear()
            each._buffers.update(buffers)
        for config, own in settings:
            config.__dict__.clear()
            config.__dict__.update(own)


def _configs(attributes: Mapping[str, object]) -> Iterator[PreTrainedConfig]:
    """The configurations among the attributes, and those within them."""
    for value in attributes.values():
        if isinstance(value, PreTrainedConfig):
            yield value
            yield from _configs(value.__dict__)


def _on_cpu(buffer: Tensor, name: str) -> Tensor:
    if buffer.device.type == "meta":
        raise StbuildError(
            f"the buffer {name!r} is on the meta device and has no values",
            hint="make the module on the CPU; only its parameters may be on meta",
        )
    here = buffer.detach().cpu()
    return here.float() if here.dtype in HALVES else here
