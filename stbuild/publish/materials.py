"""What a build was made from, by digest: sources, weights, packages and programs."""

import hashlib
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from stbuild.engine.keys.digest import TREE, hash_file
from stbuild.publish.steps import Step

_COMPILER = "g++"
_PROGRAMS_OF_COMPILER = ("cc1plus", "as", "ld")
_ASK_S = 20
_INSTALLED = {"INSTALLER", "REQUESTED", "RECORD", "direct_url.json"}
"""Files of a distribution that tell how it was installed."""


class Kind(Enum):
    """What a material is."""

    SOURCE = "source"
    STBUILD = "stbuild"
    EXTERNAL = "external"
    PACKAGE = "package"
    PROGRAM = "program"


@dataclass(frozen=True, kw_only=True, order=True)
class Material:
    """Something that the build read; `tree` says that the digest is that of a folder's files and digests."""

    kind: str
    name: str
    digest: str
    version: str = ""
    tree: bool = False


def materials_of(
    steps: Iterable[Step], programs: dict[str, str], build_files: dict[str, str]
) -> tuple[Material, ...]:
    """All materials of these actions, sorted; `programs` has the place of each program by its name.

    `build_files` are the BUILD.yaml that describe them, with their digests.
    """
    found = {_file(Kind.SOURCE, *each) for each in build_files.items()}
    packages: dict[str, str] = {}
    used: dict[str, str] = {}
    for step in steps:
        found.update(_file(Kind.SOURCE, *each) for each in step.sources.items())
        found.update(_file(Kind.EXTERNAL, *each) for each in step.externals.items())
        found.update(_file(Kind.STBUILD, *each) for each in step.code.items())
        packages |= step.packages
        used |= step.tools
    found.update(_package(*each) for each in packages.items())
    for name, version in used.items():
        found.update(_program(name, version, programs[name]))
    return tuple(sorted(found))


def _file(kind: Kind, name: str, digest: str) -> Material:
    return Material(kind=kind.value, name=name, digest=digest[:64], tree=digest.endswith(TREE))


def _package(name: str, version: str) -> Material:
    return Material(kind=Kind.PACKAGE.value, name=name, version=version, digest=_installed_digest(name))


def _installed_digest(name: str) -> str:
    """A digest of a distribution's modules, the same wherever pip has put them; '' where pip did not.

    Scripts in bin/ name their interpreter, and compiled modules have a date: neither counts.
    """
    try:
        record = distribution(name).read_text("RECORD") or ""
    except PackageNotFoundError:
        return ""
    rows = [line for line in record.splitlines() if ",sha256=" in line and not line.startswith("../")]
    kept = sorted(line for line in rows if line.partition(",")[0].rpartition("/")[2] not in _INSTALLED)
    return hashlib.sha256("\n".join(kept).encode()).hexdigest() if kept else ""


def _program(name: str, version: str, path: str) -> Iterator[Material]:
    yield Material(kind=Kind.PROGRAM.value, name=name, version=version, digest=_digest_of(path))
    if name != _COMPILER:
        return
    for part in _PROGRAMS_OF_COMPILER:
        real = _asked(path, part)
        yield Material(
            kind=Kind.PROGRAM.value, name=f"{name}/{part}", version=version, digest=_digest_of(real)
        )


def _asked(compiler: str, part: str) -> str:
    """Where the compiler's driver finds one of the programs that do its work."""
    argv = [compiler, f"-print-prog-name={part}"]
    said = subprocess.run(argv, capture_output=True, text=True, timeout=_ASK_S, check=True).stdout.strip()
    return said if said.startswith("/") else f"{Path(compiler).parent}/{said}"


def _digest_of(path: str) -> str:
    return hash_file(Path(path).resolve())[:64]
