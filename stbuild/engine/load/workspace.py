"""The workspace: the folder whose pyproject.toml has `[tool.stbuild]`, with its defaults."""

import math
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stbuild import layout
from stbuild.engine.load.configured import Configuration
from stbuild.errors import StbuildError, did_you_mean

_RESOURCE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KNOWN = (
    *("builtin", "platform", "target", "cache", "jobs", "sandbox", "resources", "executor"),
    *("vitis", "device", "log_days", "log_mb"),
)
_UNITS = {"vitis": 1, "vitis_hls": 4, "card": 1}
"""Links and compilations of kernels that may run at once, and cards, unless `resources` says otherwise."""


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """A folder of packages and the defaults that its pyproject.toml sets."""

    root: Path
    platform: str = layout.DEFAULT_PLATFORM
    target: str = layout.DEFAULT_TARGET
    cache: Path | None = None
    jobs: int | None = None
    sandbox: str = "auto"
    executor: str = "local"
    device: str = ""
    """What images for a card run on; '' leaves it to the resource `card`."""
    resources: dict[str, int] = field(default_factory=dict)
    log_days: float = 90
    log_mb: float = 500
    """How long builds are kept for `stbuild log`, and in how much room."""
    vitis: dict[str, Any] = field(default_factory=dict)
    """`[tool.stbuild.vitis]`, which the toolchain checks when it is used."""

    @property
    def project_file(self) -> Path:
        """The pyproject.toml that makes the folder a workspace."""
        return self.root / "pyproject.toml"


def default_configuration(
    workspace: Workspace, platform: str | None, target: str | None, cpu: str | None = None
) -> Configuration:
    """The configuration that the command line or the workspace chooses."""
    return Configuration(
        platform=platform or workspace.platform,
        target=target or workspace.target,
        cpu=cpu or layout.NATIVE_CPU,
    )


def find_workspace(start: Path) -> Workspace:
    """The workspace that `start` lies in."""
    for folder in (start, *start.parents):
        table = _table(folder / "pyproject.toml")
        if table is not None:
            return _workspace(folder, table)
    raise StbuildError(
        f"{start} is in no stbuild workspace",
        hint="its pyproject.toml needs a [tool.stbuild] table; `stbuild init` makes one",
    )


def _table(path: Path) -> dict[str, Any] | None:
    try:
        text = path.read_text()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError as error:
        raise StbuildError(f"not UTF-8 text: {error.reason}", where=str(path)) from None
    if "tool" not in text or "stbuild" not in text:
        return None
    try:
        table = tomllib.loads(text).get("tool", {}).get("stbuild")
    except tomllib.TOMLDecodeError as error:
        raise StbuildError(f"not TOML: {error}", where=str(path)) from None
    return table if isinstance(table, dict) else None


def _workspace(root: Path, table: dict[str, Any]) -> Workspace:
    where = str(root / "pyproject.toml")
    for name in table:
        if name not in _KNOWN:
            hint = did_you_mean(name, _KNOWN)
            raise StbuildError(f"[tool.stbuild] has no setting {name!r}", where=where, hint=hint)
    cache: str | None = _typed(table, "cache", str, None, where)
    return Workspace(
        root=root,
        platform=_typed(table, "platform", str, layout.DEFAULT_PLATFORM, where),
        target=_typed(table, "target", str, layout.DEFAULT_TARGET, where),
        cache=(root / Path(cache).expanduser()).absolute() if cache else None,
        jobs=_jobs(table, where),
        sandbox=_typed(table, "sandbox", str, "auto", where),
        executor=_typed(table, "executor", str, "local", where),
        device=_typed(table, "device", str, "", where),
        resources={**_UNITS, **_resources(table, where)},
        log_days=_positive(table, "log_days", 90, where),
        log_mb=_positive(table, "log_mb", 500, where),
        vitis=_typed(table, "vitis", dict, {}, where),
    )


def _jobs(table: dict[str, Any], where: str) -> int | None:
    jobs: int | None = _typed(table, "jobs", int, None, where)
    if jobs is not None and (isinstance(jobs, bool) or jobs < 1):
        raise StbuildError(f"[tool.stbuild] jobs takes a number from 1 on, got {jobs}", where=where)
    return jobs


def _positive(table: dict[str, Any], name: str, default: float, where: str) -> float:
    value = table.get(name, default)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
        message = f"[tool.stbuild] {name} takes a number above 0, got {value!r}"
        raise StbuildError(message, where=where, hint=f"for example `{name} = {default:g}`")
    return float(value)


def _resources(table: dict[str, Any], where: str) -> dict[str, int]:
    resources: dict[str, int] = dict(_typed(table, "resources", dict, {}, where))
    variables: dict[str, str] = {}
    for name, count in resources.items():
        twin = variables.setdefault(name.replace("-", "_").upper(), name)
        if twin != name:
            message = f"[tool.stbuild] resources: {twin!r} and {name!r} have the same variable"
            raise StbuildError(message, where=where, hint="rename one of them")
        if not _RESOURCE.fullmatch(name):
            message = f"[tool.stbuild] resources: {name!r} is no name of a resource"
            raise StbuildError(message, where=where, hint="use ASCII letters, digits, _ and -, at most 64")
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            message = f"[tool.stbuild] resources: {name} takes a whole number, got {count!r}"
            raise StbuildError(message, where=where, hint="for example `resources = { vitis = 2, u55c = 1 }`")
    return resources


def _typed(table: dict[str, Any], name: str, kind: type, default: Any, where: str) -> Any:
    value = table.get(name, default)
    if name in table and not isinstance(value, kind):
        raise StbuildError(f"[tool.stbuild] {name} takes {kind.__name__}, got {value!r}", where=where)
    return value
