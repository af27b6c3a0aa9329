"""`[tool.stbuild.vitis]`: where Vitis is, what its steps may take, and what their reports may say."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from stbuild.errors import StbuildError, did_you_mean


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`path` is a folder with `bin/v++`, `platforms` are folders of installed platforms.

    Vivado's result depends on `threads`, not on `jobs`, which only bounds how many of its runs go on at once.
    A link with less slack than `slack_ns` (0 or less) fails; with `strict_ii` so does a kernel of which
    a loop misses its initiation interval.
    """

    path: str = ""
    platforms: tuple[str, ...] = ()
    threads: int = 8
    jobs: int = 8
    compile_memory_mb: int = 8_000
    memory_mb: int = 48_000
    compile_hours: float = 4.0
    hours: float = 48.0
    slack_ns: float = 0.0
    strict_ii: bool = False


def settings_of(table: Mapping[str, Any]) -> Settings:
    """The settings in a table; a name or value that does not fit is a StbuildError."""
    kinds = {field.name: type(field.default) for field in fields(Settings)}
    values: dict[str, Any] = {}
    for name, value in table.items():
        if name not in kinds:
            hint = did_you_mean(name, list(kinds))
            raise StbuildError(f"[tool.stbuild.vitis] has no setting {name!r}", hint=hint)
        values[name] = _value(name, value, kinds[name])
    return Settings(**values)


def _value(name: str, value: Any, kind: type) -> Any:
    if kind is tuple and isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return _checked(name, float(value))
    if kind is int and type(value) is int:
        return _checked(name, value)
    if kind in (str, bool) and type(value) is kind:
        return value
    words = {tuple: "a list of folders", float: "a number", int: "a whole number", str: "a text"}
    takes = words.get(kind, "true or false")
    raise StbuildError(f"[tool.stbuild.vitis] {name} takes {takes}, got {value!r}")


def _checked(name: str, value: float) -> float:
    if name == "slack_ns" and value > 0:
        raise StbuildError(f"[tool.stbuild.vitis] slack_ns takes 0 or less, got {value:g}")
    if name != "slack_ns" and value <= 0:
        raise StbuildError(f"[tool.stbuild.vitis] {name} takes more than 0, got {value:g}")
    return value
