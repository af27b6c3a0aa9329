"""`verify --rebuild`: builds an artefact again elsewhere, and compares every byte."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from stbuild import layout
from stbuild.engine.load.workspace import Workspace
from stbuild.errors import StbuildError
from stbuild.publish.differences import differences
from stbuild.publish.oci import Descriptor
from stbuild.publish.provenance import Made
from stbuild.publish.resolving import Artefact

_GIT_S = 60
_LEFT_OUT = {layout.OUT_DIR, "__pycache__"}
_KEPT = ("PATH", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CONFIG_FILE", "PIP_NO_INDEX")
"""Variables that say where things are to be had. All others are left out, or are other ones."""


Read = Callable[[str, Descriptor], bytes]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What a rebuild gave: the files that differ, and the first action that made something else."""

    files: int
    differing: tuple[str, ...] = ()
    action: str = ""
    detail: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Rebuilt:
    """Files by path, as digest and place; what each action made, by its id; and their keys."""

    files: Mapping[str, tuple[str, Path]]
    outputs: Mapping[str, Mapping[str, str]]
    keys: Mapping[str, str]


def rebuild(found: Artefact, workspace: Workspace, read: Read) -> Comparison:
    """Build the artefact from the workspace's sources and from nothing, in other surroundings.

    Folder, HOME, locale, time zone and number of jobs are others. `read` gives what is published at a path.
    """
    with tempfile.TemporaryDirectory(prefix="stbuild-rebuild-") as name:
        place = Path(name)
        made = _built(found, workspace, place)
        wanted = found.files
        missing = set(wanted).symmetric_difference(made.files)
        both = set(wanted) & set(made.files)
        changed = {path for path in both if made.files[path][0] != wanted[path].digest}
        differing = tuple(sorted(missing | changed))
        if not differing:
            return Comparison(files=len(wanted))
        action, detail = _first_action(found.attested.made, made)
        for path in sorted(changed)[:3]:
            lines = differences(read(path, wanted[path]), made.files[path][1].read_bytes())
            detail += [f"{path}:", *(f"  {line}" for line in lines)]
        return Comparison(files=len(wanted), differing=differing, action=action, detail=tuple(detail))


def _built(found: Artefact, workspace: Workspace, place: Path) -> _Rebuilt:
    copy, home = place / "elsewhere" / "sources", place / "home"
    home.mkdir()
    copy_sources(workspace.root, copy)
    request, result = place / "request.json", place / "result.json"
    jobs = 1 if len(os.sched_getaffinity(0)) > 1 else 2
    request.write_text(json.dumps({**found.attested.asked.data(), "jobs": jobs}))
    argv = [sys.executable, "-P", "-m", "stbuild.publish.clean_build", str(request), str(result)]
    subprocess.run(argv, cwd=copy, env=_environment(workspace, copy, home), check=False, umask=0o077)
    if not result.is_file():
        raise StbuildError("the rebuild was cut off", where=found.attested.asked.label, exit_code=1)
    data = json.loads(result.read_text())
    if "error" in data:
        message = f"it cannot be built again: {data['error']}"
        raise StbuildError(message, where=found.attested.asked.label, exit_code=1)
    steps = data["steps"]
    return _Rebuilt(
        files={path: (digest, Path(blob)) for path, (digest, blob) in data["files"].items()},
        outputs={step["id"]: step["outputs"] for step in steps},
        keys={step["id"]: step["key"] for step in steps},
    )


def _environment(workspace: Workspace, copy: Path, home: Path) -> dict[str, str]:
    """Other values for what a build must not depend on."""
    package = copy if layout.builtin_root() == workspace.root else layout.package_root().parent
    return {
        **{name: os.environ[name] for name in _KEPT if name in os.environ},
        "HOME": str(home),
        "TMPDIR": str(home),
        "STBUILD_CACHE": str(home / "cache"),
        "STBUILD_DOWNLOADS": str(layout.downloads_dir()),
        "PYTHONPATH": str(package),
        "LC_ALL": "C" if os.environ.get("LC_ALL", os.environ.get("LANG")) != "C" else "C.UTF-8",
        "TZ": "Pacific/Kiritimati",
        "USER": "rebuild",
    }


def copy_sources(root: Path, target: Path) -> None:
    """Copy a workspace without what was built: what git knows or would add, else all that is not hidden."""
    for path in _sources(root):
        copy = target / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / path, copy, follow_symlinks=False)


def _sources(root: Path) -> Iterator[str]:
    argv = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(argv, capture_output=True, timeout=_GIT_S)
    except (OSError, subprocess.TimeoutExpired):
        listed = None
    if listed is not None and listed.returncode == 0:
        names = filter(None, os.fsdecode(listed.stdout).split("\0"))
        yield from (name for name in names if (root / name).is_file() and name.split("/")[0] not in _LEFT_OUT)
        return
    for place, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT and not name.startswith("."))
        yield from (os.path.relpath(f"{place}/{name}", root) for name in sorted(files))


def _first_action(published: tuple[Made, ...], made: _Rebuilt) -> tuple[str, list[str]]:
    """The first action, producers first, that made something else, and both values."""
    for step in published:
        outputs = made.outputs.get(step.id)
        if outputs is None:
            return step.id, ["the rebuild has no such action"]
        for path, digest in step.outputs.items():
            if outputs.get(path) != digest:
                same = "the same key" if made.keys[step.id] == step.key else "another key: its inputs differ"
                return step.id, [f"{path}: published {digest}, rebuilt {outputs.get(path)} ({same})"]
    return "", ["no action of the provenance differs: what is published is not what its actions made"]
