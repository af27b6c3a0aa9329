"""Modules of low-rank adaptation (LoRA) as plain linear layers: matrices are merged when weights are packed.

Any module with `lora_A` and `lora_B` counts, as PEFT, loralib and people by hand write them: beside these it
has one matrix, perhaps with a bias. That it computes `W x + s B A x` is tried with two sets of numbers, which
also gives the scaling s.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from stbuild.errors import StbuildError
from stbuild.ir.derived import Derived

_TRIALS = 2
_POOL = 1_000_003
"""Numbers of a trial, repeated as often as it takes; a prime, so that no row is like another."""
_NEAR = 1e-6


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """Names of a LoRA module's parameters within it; `turned` if its own matrix is stored [in, out]."""

    base: str
    down: str
    up: str
    bias: str | None
    turned: bool


def merge_lora(model: nn.Module) -> tuple[Derived, ...]:
    """Put a linear layer in the place of each LoRA module of `model`; gives how its parameters are made."""
    found = list(_lora_modules(model))
    if not found:
        raise StbuildError(
            "merge_lora is true, but no module of the model has lora_A and lora_B",
            hint="leave merge_lora out of BUILD.yaml",
        )
    return tuple(derived for path, module in found for derived in _merged(model, path, module))


def _lora_modules(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for path, module in model.named_modules():
        if path and hasattr(module, "lora_A") and hasattr(module, "lora_B"):
            yield path, module


def _merged(model: nn.Module, path: str, module: nn.Module) -> Iterator[Derived]:
    parameters = dict(module.named_parameters())
    parts = _parts(path, module, parameters)
    scaling = _scaling(path, module, parts, parameters)
    down, up = (tuple(parameters[n].shape) for n in (parts.down, parts.up))
    plain = nn.Linear(down[1], up[0], bias=parts.bias is not None, device="meta")
    owner, _, leaf = path.rpartition(".")
    setattr(model.get_submodule(owner), leaf, plain.requires_grad_(False))
    sources = tuple(f"{path}.{n}" for n in (parts.base, parts.up, parts.down))
    base = f"aten.t.default({sources[0]!r})" if parts.turned else repr(sources[0])
    low = f"aten.mul.Tensor(aten.mm.default({sources[1]!r}, {sources[2]!r}), {scaling!r})"
    shapes = tuple(tuple(parameters[n].shape) for n in (parts.base, parts.up, parts.down))
    formula = f"aten.add.Tensor({base}, {low})"
    yield Derived(name=f"{path}.weight", sources=sources, shapes=shapes, formula=formula)
    if parts.bias is not None and parts.bias != "bias":
        yield Derived(name=f"{path}.bias", sources=(f"{path}.{parts.bias}",), shapes=((up[0],),))


def _parts(path: str, module: nn.Module, parameters: Mapping[str, Tensor]) -> _Parts:
    """The parameters by what they are for; raises StbuildError if there are others, or several adapters."""
    down, up = ([n for n in parameters if n.split(".")[0] == name] for name in ("lora_A", "lora_B"))
    others = [n for n in parameters if n not in (*down, *up)]
    matrices = [n for n in others if parameters[n].ndim == 2]
    biases = [n for n in others if parameters[n].ndim == 1 and n.rpartition(".")[2] == "bias"]
    strange = [n for n in others if n not in (*matrices[:1], *biases[:1])] or [*down[1:], *up[1:]]
    if strange or not (down and up and matrices):
        what = f"has a parameter {strange[0]!r} besides" if strange else "lacks one of its three matrices"
        raise _cannot(path, module, what)
    a, b, base = (tuple(parameters[n[0]].shape) for n in (down, up, matrices))
    turned = re.search("Conv1D$", _owner_type(module, matrices[0])) is not None
    if a[0] != b[-1] or base != ((a[1], b[0]) if turned else (b[0], a[1])):
        raise _cannot(path, module, f"has matrices {list(base)}, {list(a)} and {list(b)}")
    return _Parts(base=matrices[0], down=down[0], up=up[0], bias=biases[0] if biases else None, turned=turned)


def _owner_type(module: nn.Module, name: str) -> str:
    return type(module.get_submodule(name.rpartition(".")[0])).__name__


def _scaling(path: str, module: nn.Module, parts: _Parts, parameters: Mapping[str, Tensor]) -> float:
    """The factor s, by which the module adds its low-rank product."""
    found: list[float] = []
    for seed in range(_TRIALS):
        numbers = {n: _numbers(p.shape, seed + i) for i, (n, p) in enumerate(parameters.items())}
        x = _numbers(torch.Size((1, 3, numbers[parts.down].shape[1])), 17 + seed)
        base = numbers[parts.base] if parts.turned else numbers[parts.base].T
        plain = x @ base + (numbers[parts.bias] if parts.bias else 0.0)
        low = x @ numbers[parts.down].T @ numbers[parts.up].T
        try:
            made = functional_call(module.eval(), numbers, (x,))
        except Exception as error:
            raise _cannot(path, module, f"cannot be run: {type(error).__name__}: {error}") from error
        more = made.double() - plain
        scaling = float((more * low).sum() / (low * low).sum())
        if not float((more - scaling * low).norm()) <= _NEAR * float(plain.norm() + low.norm()):
            raise _cannot(path, module, "computes something else than W x + s B A x")
        found.append(scaling)
    if abs(found[0] - found[1]) > _NEAR * (1 + abs(found[0])):
        raise _cannot(path, module, "scales its low-rank product by something that is not constant")
    return float(f"{found[0]:.9g}")


def _numbers(shape: torch.Size, seed: int) -> Tensor:
    """Numbers between -1 and 1, in float64."""
    pool = torch.rand(_POOL, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2 - 1
    return pool.repeat(-(-shape.numel() // _POOL))[: shape.numel()].reshape(shape)


def _cannot(path: str, module: nn.Module, why: str) -> StbuildError:
    return StbuildError(
        f"the LoRA module {path!r} ({type(module).__name__}) cannot be merged: it {why}",
        hint="merge it in model(), and name the merged tensors in the weights",
    )
