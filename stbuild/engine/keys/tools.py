"""The identity of the programs that actions run: what they say their version is, not where they lie."""

import json
import os
import platform
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stbuild import layout
from stbuild.engine.graph.action import Action
from stbuild.engine.keys.digest import hash_file
from stbuild.engine.keys.search import SearchPath
from stbuild.engine.keys.tracker import settled_signature
from stbuild.errors import StbuildError

_PACKAGES = {
    "g++": "g++",
    "gcc": "gcc",
    "clang++": "clang",
    "clang": "clang",
    "dot": "graphviz",
    "make": "make",
}
_ASK_S = 20


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A program of this machine."""

    name: str
    path: str
    version: str


class ToolBox:
    """Finds programs on PATH and asks each once, until the file changes."""

    def __init__(
        self,
        recall: Callable[[str], str | None],
        remember: Callable[[str, str], None],
        locked: Mapping[str, str],
        search: SearchPath,
    ) -> None:
        self.search = search
        self._recall = recall
        self._remember = remember
        self._locked = locked
        self._known: dict[str, Tool] = {}

    def tool(self, name: str, where: str = "", place: str | None = None) -> Tool:
        """The program `name`, at `place` or on PATH; its absence is a sentence that names its package."""
        key = place or name
        if key not in self._known:
            path = self.search.find(key)
            if path is None:
                raise missing_tool(name, where)
            found = Tool(name=name, path=path, version=self._version(path))
            self._check(found)
            self._known[key] = found
        return self._known[key]

    def of_action(self, action: Action, name: str) -> Tool:
        """The program that an action declares as `name`."""
        return self.tool(name, action.where, dict(action.policy.programs).get(name))

    def identity(self, action: Action, name: str) -> dict[str, str]:
        """The part of a key that stands for a tool: its version, and the processor if code is made for it."""
        found, argv = self.of_action(action, name), action.argv
        identity = {"version": found.version}
        if self.search.is_private(found.path):
            identity["content"] = hash_file(found.path)
        if any(text.endswith("=native") for text in argv):
            identity["cpu"] = cpu_model()
        return identity

    def paths(self, action: Action) -> list[str]:
        """Where the programs lie that an action declares."""
        return [self.of_action(action, name).path for name in action.tools]

    def known(self) -> list[Tool]:
        """The tools that were asked for so far."""
        return list(self._known.values())

    def _check(self, found: Tool) -> None:
        wanted = self._locked.get(found.name, found.version)
        if wanted != found.version:
            message = f"{found.name} is {found.version!r}, {layout.LOCK_FILE} says {wanted!r}"
            hint = f"install that one, or accept this one by `stbuild lock {' '.join(sorted(self._locked))}`"
            raise StbuildError(message, hint=hint, exit_code=1)

    def _version(self, path: str) -> str:
        memory = f"tool:{os.path.realpath(path)}:{settled_signature(path)}"
        known = self._recall(memory)
        if known is None:
            known = ask_version(path)
            self._remember(memory, known)
        return known


def read_lock(path: Path) -> dict[str, str]:
    """The versions that a lock file demands."""
    try:
        tools: dict[str, str] = json.loads(path.read_text())["tools"]
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError):
        raise StbuildError(
            "not a lock file", where=str(path), hint="`stbuild lock TOOL…` writes one"
        ) from None
    return tools


def ask_version(path: str) -> str:
    """The first line that `path --version` prints, and those that name a build; else a digest."""
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=_ASK_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return _by_content(path)
    lines = (done.stdout or done.stderr).strip().splitlines()
    if not lines or done.returncode != 0:
        return _by_content(path)
    return " ".join([lines[0], *(line.strip() for line in lines[1:4] if " Build " in line)])


def _by_content(path: str) -> str:
    try:
        return f"without a version, sha256 {hash_file(path)[:16]}"
    except OSError:
        return "unknown"


def missing_tool(name: str, where: str = "") -> StbuildError:
    """The sentence for a program that is not on PATH."""
    package = _PACKAGES.get(name)
    hint = f"apt install {package}" if package else "install it, or put it on PATH"
    return StbuildError(
        f"the program {name!r} is not on this machine", where=where or None, hint=hint, exit_code=1
    )


def cpu_model() -> str:
    """The processor's name and features, on which `-march=native` depends."""
    try:
        with open("/proc/cpuinfo") as stream:
            lines = stream.read().partition("\n\n")[0].splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(line.split("\t", 1) for line in lines if "\t" in line)
    picked = [value.strip(": \t") for key, value in fields.items() if key.strip() in ("model name", "flags")]
    return " ".join(picked)
