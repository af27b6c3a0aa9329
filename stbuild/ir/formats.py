"""Fraction bits of a project's own: which values and parameters do not have the usual ones."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stbuild.errors import StbuildError, did_you_mean
from stbuild.ir.types import RESIDUAL_FRAC

MOST_BITS = 30
"""Fraction bits of a value whose range is +-2, the smallest there is."""
SECTIONS = ("residual", "values", "parameters")
_BITS = f"a number of fraction bits, 0 to {MOST_BITS}"


@dataclass(frozen=True, kw_only=True)
class Formats:
    """`residual` is for the residual stream; the others by `block/value`, the name of the op that makes it.

    `parameters` are those that a `MulParam` multiplies by.
    """

    residual: int = RESIDUAL_FRAC
    values: Mapping[str, int] = field(default_factory=dict)
    parameters: Mapping[str, int] = field(default_factory=dict)


USUAL = Formats()
"""What docs/numerics.md names."""


def read_formats(path: str | None) -> Formats:
    """The formats of a JSON file; the usual ones without a file. Raises StbuildError for a bad one."""
    if path is None:
        return USUAL
    try:
        data = json.loads(Path(path).read_text())
    except json.JSONDecodeError as error:
        raise StbuildError(f"not JSON: {error.msg}", where=f"{path}:{error.lineno}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise StbuildError("the file cannot be read as text", where=path) from error
    if not isinstance(data, dict):
        raise StbuildError(f"the file does not hold an object with {_sections()}", where=path)
    for name in data:
        if name not in SECTIONS:
            raise StbuildError(f"there is no section {name!r}", where=path, hint=f"known: {_sections()}")
    return Formats(
        residual=_bits(data.get("residual", RESIDUAL_FRAC), "residual", path),
        values=_named(data, "values", path),
        parameters=_named(data, "parameters", path),
    )


def formats_text(formats: Formats) -> str:
    """The file that `read_formats` reads; only what is not as usual stands in it."""
    data: dict[str, Any] = {}
    if formats.residual != RESIDUAL_FRAC:
        data["residual"] = formats.residual
    if formats.values:
        data["values"] = dict(sorted(formats.values.items()))
    if formats.parameters:
        data["parameters"] = dict(sorted(formats.parameters.items()))
    return json.dumps(data, indent=2) + "\n"


def check_names(section: str, names: Mapping[str, int], known: set[str], path: str | None) -> None:
    """Raise StbuildError for the first of `names` that is not among `known`."""
    for name in names:
        if name not in known:
            raise StbuildError(
                f"{section} names {name!r}, which the model does not have or whose bits follow from others",
                where=path,
                hint=f"{did_you_mean(name, known)} `stbuild run PROJECT:formats` proposes them anew",
            )


def _named(data: Mapping[str, Any], section: str, path: str) -> dict[str, int]:
    found = data.get(section, {})
    if not isinstance(found, dict):
        raise StbuildError(f"{section} is not an object from `block/value` to {_BITS}", where=path)
    return {name: _bits(bits, f"{section}: {name!r}", path) for name, bits in found.items()}


def _bits(value: object, what: str, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_BITS:
        raise StbuildError(f"{what} takes {_BITS}, got {json.dumps(value)}", where=path)
    return value


def _sections() -> str:
    return ", ".join(SECTIONS)
