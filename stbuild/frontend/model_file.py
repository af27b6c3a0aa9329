"""Loads a project's `model.py`, which says how to make the model.

It defines `def model() -> nn.Module`, and may define `def weight_names() -> dict[str, str]`, which
gives the checkpoint's name for parameters that are called otherwise there.
"""

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from stbuild.errors import StbuildError
from stbuild.frontend.hollow import hollow_parameters
from stbuild.frontend.model_code import model_code, place_of

_DECLARE = "a file of the project's own is declared in `srcs`"


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """The module with parameters on the meta device, and checkpoint names that differ from its own."""

    module: nn.Module
    weight_names: dict[str, str] = field(default_factory=dict)


def load_model(path: Path) -> LoadedModel:
    """Run `model()` of the file at `path` without giving its parameters memory."""
    source = _imported(path)
    with hollow_parameters():
        module = _called(source, "model", path)
    if not isinstance(module, nn.Module):
        raise StbuildError(f"model() gives a {type(module).__name__}, not a torch.nn.Module", where=str(path))
    names = _called(source, "weight_names", path) if hasattr(source, "weight_names") else {}
    return LoadedModel(module=module.eval(), weight_names=dict(names))


def load_real_model(path: Path) -> nn.Module:
    """Run `model()` of the file at `path` with parameters in memory, for a run in float32."""
    module = _called(_imported(path), "model", path)
    assert isinstance(module, nn.Module)
    return module.eval()


def _imported(path: Path) -> ModuleType:
    if not path.is_file():
        raise StbuildError("there is no such model file", where=str(path))
    spec = importlib.util.spec_from_file_location(f"stbuild_model_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))  # For good, as for a script: functions import too.
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise StbuildError(f"not Python: {error.msg}", where=f"{path}:{error.lineno}") from error
    except (Exception, SystemExit) as error:
        hint = _DECLARE if isinstance(error, ModuleNotFoundError) else None
        message = f"cannot be imported: {type(error).__name__}: {error}"
        raise StbuildError(message, where=place_of(error) or str(path), hint=hint) from error
    return module


def _called(source: ModuleType, name: str, path: Path) -> Any:
    function: Callable[[], Any] | None = getattr(source, name, None)
    if function is None:
        raise StbuildError(
            f"the file does not define {name}()", where=str(path), hint="write def model() -> torch.nn.Module"
        )
    with model_code(f"{name}() failed"):
        return function()
