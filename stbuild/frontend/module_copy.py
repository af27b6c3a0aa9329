"""A copy of a module to trace, which leaves the module as it was and shares its parameters."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from stbuild.errors import StbuildError

HALVES = (torch.float16, torch.bfloat16)


def shared_copy(module: nn.Module) -> nn.Module:
    """`module` in evaluation mode; parameters are shared, buffers are on the CPU, halves among them float32.

    Tracing sets modes, attention and buffers of what it is given, and another thread may use the module.
    """
    memo: dict[int, Any] = {}
    for path, each in module.named_modules():
        shared = [value for value in vars(each).values() if isinstance(value, Tensor)]
        memo.update((id(p), p) for p in (*each._parameters.values(), *shared) if p is not None)
        for name, buffer in each._buffers.items():
            if buffer is not None and id(buffer) not in memo:
                memo[id(buffer)] = _on_cpu(buffer, f"{path}.{name}".lstrip("."))
    try:
        return copy.deepcopy(module, memo).eval()
    except Exception as error:  # whatever a module's own attributes raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        hint = "keep open files, locks and tensors with a gradient history out of its attributes"
        raise StbuildError(f"{type(module).__name__} cannot be copied: {reason}", hint=hint) from error


def _on_cpu(buffer: Tensor, name: str) -> Tensor:
    if buffer.device.type == "meta":
        raise StbuildError(
            f"the buffer {name!r} is on the meta device and has no values",
            hint="make the module on the CPU; only its parameters may be on meta",
        )
    here = buffer.detach().cpu()
    return here.float() if here.dtype in HALVES else here
