"""The parameters of a module in memory as a safetensors file, and a digest that stands for them."""

import hashlib
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from stbuild.errors import StbuildError

FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


def parameters_of(module: nn.Module) -> dict[str, Tensor]:
    """The parameters by name on the CPU, tied ones once; those without values are refused."""
    found = {}
    for name, parameter in module.named_parameters():
        values = parameter.detach()
        if values.device.type == "meta":
            hint = "load its weights first, or give a checkpoint: attributes={'weights': PATH}"
            raise StbuildError(f"the parameter {name!r} is on the meta device and has no values", hint=hint)
        if type(values) is not Tensor or values.dtype not in FLOATS:
            kind = str(values.dtype) if type(values) is Tensor else type(values).__name__
            hint = "give the module before it is quantised or distributed"
            raise StbuildError(f"the parameter {name!r} is {kind}, not plain floats", hint=hint)
        found[name] = _alone(values.cpu().contiguous())
    return found


def digest_of(parameters: dict[str, Tensor]) -> str:
    """Hexadecimal digits that differ when a name, a shape, a number format or a bit differs."""
    digest = hashlib.blake2b(digest_size=16)
    for name, values in sorted(parameters.items()):
        digest.update(f"{name} {values.dtype} {list(values.shape)}\n".encode())
        digest.update(values.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def write_parameters(path: Path, parameters: dict[str, Tensor]) -> None:
    """Write them to one safetensors file."""
    save_file(parameters, path)


def _alone(values: Tensor) -> Tensor:
    """A tensor whose memory holds nothing else, as safetensors wants it."""
    return values if values.untyped_storage().nbytes() == values.nbytes else values.clone()
