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
from typing import TypeVar

from torch import nn

from stbuild.errors import StbuildError
from stbuild.frontend.lora import merge_lora
from stbuild.frontend.meta_parameters import parameters_on_meta
from stbuild.frontend.model_code import model_code, model_line, place_of, reason_of
from stbuild.frontend.model_source import DECLARE, FUNCTION, check_source, not_python
from stbuild.ir.derived import Derived

Kind = TypeVar("Kind")


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """The module with parameters on the meta device, and checkpoint names that differ from its own.

    `merged` are the parameters of LoRA modules that are merged.
    """

    module: nn.Module
    weight_names: dict[str, str] = field(default_factory=dict)
    merged: tuple[Derived, ...] = ()


def load_model(path: Path, *, lora_merged: bool = False) -> LoadedModel:
    """Run `model()` of the file at `path` without giving its parameters memory; merge LoRA if asked to."""
    check_source(path)
    source = _imported(path)
    with parameters_on_meta():
        made = _called(source, "model", path)
    module = _checked(made, "model", nn.Module, "a torch.nn.Module", source, path)
    given = _called(source, "weight_names", path) if hasattr(source, "weight_names") else {}
    names = _checked(given, "weight_names", dict, "a dict of texts", source, path)
    if not all(isinstance(each, str) for pair in names.items() for each in pair):
        where = _line(source.weight_names, path)
        raise StbuildError("weight_names() returns a dict that holds more than texts", where=where)
    merged = merge_lora(module) if lora_merged else ()
    return LoadedModel(module=module.eval(), weight_names=names, merged=merged)


def _imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"stbuild_model_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))  # For good, as for a script: functions import too.
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise not_python(error, path) from error
    except (Exception, SystemExit) as error:
        hint = DECLARE if isinstance(error, ModuleNotFoundError) else None
        message = f"cannot be imported: {reason_of(error)}"
        raise StbuildError(message, where=place_of(error) or str(path), hint=hint) from error
    return module


def _called(source: ModuleType, name: str, path: Path) -> object:
    function: Callable[[], object] | None = getattr(source, name, None)
    if function is None:
        raise StbuildError(f"the file does not define {name}()", where=str(path), hint=f"write {FUNCTION}")
    with model_code(f"{name}() failed", where=_line(function, path)):
        return function()


def _checked(value: object, name: str, kind: type[Kind], wanted: str, source: ModuleType, path: Path) -> Kind:
    if isinstance(value, kind):
        return value
    if value is None:
        found = "None"
    else:
        found = (
            f"the class {value.__name__}"
            if isinstance(value, type)
            else f"an object of type {type(value).__name__}"
        )
    where = _line(getattr(source, name), path)
    raise StbuildError(f"{name}() returns {found}, not {wanted}", where=where)


def _line(function: object, path: Path) -> str:
    """Where a function of the model's file begins."""
    code = getattr(function, "__code__", None)
    return model_line(code.co_filename, code.co_firstlineno) if code else str(path)
