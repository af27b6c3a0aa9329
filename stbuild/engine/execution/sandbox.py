"""What an action is kept from: files that are no inputs, the network unless declared, the user's home."""

import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from stbuild import layout
from stbuild.engine.execution.folders import ActionDir, inputs_of
from stbuild.engine.graph.action import Action
from stbuild.engine.graph.artifact import File, Origin
from stbuild.engine.keys.closure import ClosureFinder, package_folder, python_paths
from stbuild.engine.keys.key import Key
from stbuild.engine.local import landlock
from stbuild.errors import StbuildError

KINDS = ("auto", "landlock", "staged", "off")
_SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc",
    "/proc",
    "/sys",
    "/run",
    "/nix",
)
_DEVICES = ("/dev",)
_DENIED = re.compile(
    r"(?:Permission denied|Operation not permitted|No such file or directory|Errno 13|Errno 2)"
)
_PATH = re.compile(r"['\"‘]?((?:/|\.\./|in/|\./)[\w@%+=:,./-]+)")
_TAIL = 50_000


def choose(wanted: str) -> str:
    """The kind that `wanted` means on this machine."""
    if wanted not in KINDS:
        raise StbuildError(f"no sandbox {wanted!r}", hint=f"known: {', '.join(KINDS)}")
    if wanted == "auto":
        return "landlock" if landlock.version() else "staged"
    if wanted == "landlock" and not landlock.version():
        raise StbuildError("this kernel has no Landlock", hint="use --sandbox=staged")
    return wanted


class Sandbox:
    """The wall around actions, of one kind for a whole build."""

    def __init__(self, kind: str, real: Callable[[File], str], closures: ClosureFinder) -> None:
        self.kind = kind
        self._real = real
        self._closures = closures
        self._system = [path for path in (*_SYSTEM, *_python(), *_path_roots()) if os.path.exists(path)]

    def around(self, action: Action, key: Key, place: ActionDir) -> dict[str, object]:
        """What the spawner must do for this action before it runs."""
        if self.kind in ("off", "staged"):
            return {}
        read = [self._real(file) for file in inputs_of(action, key) if file.origin is not Origin.TEXT]
        lists: list[str] = []
        if action.module:
            lists += [str(layout.package_root()), *python_paths(action.module), *_own_package(action)]
            for path in self._closures.closure(action.module, action.where).paths:
                read += [path, _compiled(path)]
        write = [place.folder, *_DEVICES]
        if action.policy.network:
            write.append(str(layout.downloads_dir()))
            os.makedirs(write[-1], exist_ok=True)
        return {
            "kind": self.kind,
            "system": self._system + [os.path.realpath(name) for name in _tools(action)],
            "read": read,
            "list": lists,
            "write": write,
            "network": action.policy.network,
        }

    def suspect(self, log: str, action: Action, root: Path) -> str:
        """A sentence when the log tells of a file that exists but is not an input; else ''."""
        try:
            text = Path(log).read_bytes()[-_TAIL:].decode(errors="replace")
        except OSError:
            return ""
        for line in text.splitlines():
            if not _DENIED.search(line):
                continue
            for path in _PATH.findall(line):
                shown = self._undeclared(path.rstrip(":.,"), root)
                if shown:
                    return f"{shown} is not an input of {action.label}: declare it, for example in `srcs`"
        return ""

    def _undeclared(self, path: str, root: Path) -> str:
        real = root / path.removeprefix("in/").removeprefix("./")
        if not real.is_file():
            return ""
        if real.is_relative_to(layout.state_dir(root)):
            return ""
        if not real.is_relative_to(root):
            seen = self.kind == "off" or any(real.is_relative_to(each) for each in self._system)
            return "" if seen else str(real)
        return str(real.relative_to(root))


def _own_package(action: Action) -> list[str]:
    """The folder of a stage's own package, when that is not stbuild."""
    folder = package_folder((action.module or "").partition(".")[0])
    return [str(folder)] if folder is not None and folder != layout.package_root() else []


def _python() -> list[str]:
    site = [path for path in sys.path if path.endswith("site-packages")]
    return sorted({sys.prefix, sys.base_prefix, os.path.realpath(sys.base_prefix), *site})


def _path_roots() -> list[str]:
    """The folders of PATH with what usually lies beside a bin folder."""
    roots = []
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        if folder.startswith(_SYSTEM) or not os.path.isabs(folder):
            continue
        parent = os.path.dirname(folder)
        roots.append(parent if os.path.basename(folder) in ("bin", "sbin") and parent != "/" else folder)
    home = str(Path.home())
    return [root for root in roots if root not in (home, "/")]


def _tools(action: Action) -> list[str]:
    found = []
    for name in action.tools:
        path = shutil.which(name)
        if path:
            found.append(os.path.dirname(os.path.dirname(os.path.realpath(path))))
    return [path for path in found if path not in ("/", "")]


def _compiled(path: str) -> str:
    folder, name = os.path.split(path)
    return f"{folder}/__pycache__/{name[:-3]}.{sys.implementation.cache_tag}.pyc"
