"""Modules whose parameters have a shape but no memory, while their buffers stay real."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def parameters_on_meta() -> Iterator[None]:
    """While this is open, parameters of new modules go to the meta device; buffers stay where they are."""
    register = nn.Module.register_parameter

    def register_on_meta(self: nn.Module, name: str, param: nn.Parameter | None) -> None:
        register(self, name, param)
        if param is not None and param.device.type != "meta":
            self._parameters[name] = nn.Parameter(param.data.to("meta"), requires_grad=False)

    nn.Module.register_parameter = register_on_meta  # type: ignore[method-assign]
    try:
        yield
    finally:
        nn.Module.register_parameter = register  # type: ignore[method-assign]


@contextmanager
def without_parameter_memory(model: nn.Module) -> Iterator[dict[str, str]]:
    """`model` with float32 CPU parameters that all share one element each; the old ones come back at the end.

    So nothing is computed or allocated while tracing, and no operation mixes devices. Gives the
    canonical name of every parameter name: tied parameters share the first.
    """
    own: list[tuple[dict[str, nn.Parameter | None], str, nn.Parameter]] = []
    names: dict[str, str] = {}
    swapped: dict[int, nn.Parameter] = {}
    first: dict[int, str] = {}
    for path, module in model.named_modules():
        for name, param in module._parameters.items():
            if param is None:
                continue
            full = f"{path}.{name}" if path else name
            names[full] = first.setdefault(id(param), full)
            own.append((module._parameters, name, param))
            swapped.setdefault(id(param), _one_element(param))
    try:
        for parameters, name, param in own:
            parameters[name] = swapped[id(param)]
        yield names
    finally:
        for parameters, name, param in own:
            parameters[name] = param


def _one_element(param: nn.Parameter) -> nn.Parameter:
    return nn.Parameter(torch.zeros(()).expand(param.shape), requires_grad=False)
