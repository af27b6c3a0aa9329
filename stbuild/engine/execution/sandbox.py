"""What an action is kept from: files that are no inputs, the network unless declared, the user's home."""

import os
import re
from collections.abc import Callable
from pathlib import Path

from stbuild import layout
from stbuild.engine.execution.folders import ActionDir, inputs_of
from stbuild.engine.execution.roots import Roots
from stbuild.engine.graph.action import Action
from stbuild.engine.graph.artifact import File, Origin
from stbuild.engine.keys.bytecode import compiled
from stbuild.engine.keys.closure import ClosureFinder, package_folder, python_paths
from stbuild.engine.keys.key import Key
from stbuild.engine.keys.tools import ToolBox
from stbuild.engine.local import landlock
from stbuild.errors import StbuildError

KINDS = ("auto", "landlock", "staged", "off")
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

    def __init__(
        self,
        kind: str,
        real: Callable[[File], str],
        closures: ClosureFinder,
        tools: ToolBox,
        warn: Callable[[str], None],
    ) -> None:
        self.kind = kind
        self._real = real
        self._closures = closures
        self._tools = tools
        self._warn: Callable[[str], None] | None = warn
        self._roots = Roots(tools.search)

    def around(self, action: Action, key: Key, place: ActionDir) -> dict[str, object]:
        """What the spawner must do for this action before it runs."""
        self._tell_withheld()
        if self.kind in ("off", "staged"):
            return {}
        read = [self._real(file) for file in inputs_of(action, key) if file.origin is not Origin.TEXT]
        lists: list[str] = []
        if action.module:
            lists += [str(layout.package_root()), *python_paths(action.module), *_own_package(action)]
            for path in self._closures.closure(action.module, action.where).paths:
                read += [path, compiled(path)]
        write = [place.folder, *action.policy.writes]
        if action.policy.network:
            write.append(str(layout.downloads_dir()))
            os.makedirs(write[-1], exist_ok=True)
        return {
            "kind": self.kind,
            "system": [*self._roots.system, *self._roots.of_tools(self._tools.paths(action), action.policy)],
            "devices": self._roots.devices,
            "read": read,
            "list": lists,
            "write": write,
            "network": action.policy.network,
        }

    def _tell_withheld(self) -> None:
        """Warn, when the first action starts, of folders of PATH that actions do not search."""
        if self._warn is None:
            return
        for folder, problem in self._tools.search.withheld:
            self._warn(
                f"actions do not search {folder or 'the empty folder'} of PATH, which {problem}: "
                "declare a program in it in `programs`, or a file in `tools`"
            )
        self._warn = None

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
            seen = self.kind == "off" or any(real.is_relative_to(each) for each in self._roots.system)
            return "" if seen else str(real)
        return str(real.relative_to(root))


def _own_package(action: Action) -> list[str]:
    """The folder of a stage's own package, when that is not stbuild."""
    folder = package_folder((action.module or "").partition(".")[0])
    return [str(folder)] if folder is not None and folder != layout.package_root() else []
