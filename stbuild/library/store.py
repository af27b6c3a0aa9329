"""Where the library keeps the projects that it makes: in the cache, or in a folder that the user names."""

import filecmp
import hashlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stbuild import layout
from stbuild.engine.load.workspace import find_workspace
from stbuild.errors import StbuildError

MODELS = "models"
_WORKSPACE = "[tool.stbuild]\n"
_DIGITS = 16


def _nothing(place: Path) -> None:
    """Most projects have no files that are too large to be written only to be named."""


@dataclass(frozen=True, kw_only=True)
class Filed:
    """A project: `write` puts its small files into a folder, `add` large ones, of which `digest` tells."""

    name: str
    write: Callable[[Path], None]
    digest: str = ""
    add: Callable[[Path], None] = _nothing


def file_once(project: Filed, folder: Path | None = None) -> Path:
    """The folder of the project, which is written unless there is one with the same content.

    Without `folder` it lies in a workspace of its own below the cache, named by its content, so that a
    project whose accelerator is in use is never changed.
    """
    if folder is not None:
        return _in_folder(project, folder.expanduser().resolve())
    models = layout.default_cache_dir() / MODELS
    models.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".new-", dir=models))
    try:
        place = made / project.name
        place.mkdir()
        (made / "pyproject.toml").write_text(_WORKSPACE)
        project.write(place)
        final = models / f"{project.name}-{_digest(place, project.digest)}"
        if not final.exists():
            project.add(place)
            made.chmod(0o755)
            _take(made, final)
        return final / project.name
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _in_folder(project: Filed, folder: Path) -> Path:
    """Write the project where the user wants it; only a folder that the library has made is written over."""
    if folder.exists() and not (folder / layout.BUILD_FILE).is_file():
        hint = "name one that does not exist yet, or a project that was made before"
        raise StbuildError(f"{folder} is there already, and is no project", hint=hint)
    find_workspace(folder.parent)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as name:
        place = Path(name)
        project.write(place)
        project.add(place)
        _replace(place, folder)
    return folder


def _replace(made: Path, folder: Path) -> None:
    """Give `folder` the files of `made`, and its subfolders no others; equal files stay as they are."""
    for path in sorted(made.rglob("*")):
        target = folder / path.relative_to(made)
        if path.is_dir():
            target.mkdir(exist_ok=True)
            for old in target.iterdir():
                if not (path / old.name).exists():
                    old.unlink()
        elif not target.is_file() or not filecmp.cmp(path, target, shallow=False):
            path.replace(target)


def _digest(place: Path, other: str) -> str:
    digest = hashlib.blake2b(other.encode(), digest_size=_DIGITS // 2)
    for path in sorted(file for file in place.rglob("*") if file.is_file()):
        data = path.read_bytes()
        digest.update(f"\n{path.relative_to(place)} {len(data)}\n".encode())
        digest.update(data)
    return digest.hexdigest()


def _take(made: Path, final: Path) -> None:
    """Give the project its name; another process may have given it to an equal one in this moment."""
    try:
        made.rename(final)
    except OSError:
        if not final.is_dir():
            raise
