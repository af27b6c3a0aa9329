"""Two workspaces on one cache, whose actions write down that they ran, for tests that harm them."""

import hashlib
import json
import random
import time
from pathlib import Path

import pytest

from tests.conftest import WorkspaceFolder

SOURCES = 3
LAYERS = 3
PATIENCE_S = 180
"""A build that takes longer hangs."""


class Rig:
    """Two workspaces with the same graph below `disk`, which is `small` when it can be filled.

    A sandbox lets actions write to `ran` only if it lies in /dev.
    """

    def __init__(self, disk: Path, ran: Path, seed: int, *, small: bool, sandbox: str) -> None:
        self.random = random.Random(seed)
        self.disk = disk
        self.small = small
        self.flags = (f"--sandbox={sandbox}", "--plain")
        self.spaces = [_workspace(disk, name) for name in ("one", "two")]
        self.ran = ran
        self.ran.touch()
        self.sources = {f"s{i}.txt": "first" for i in range(SOURCES)}
        for space in self.spaces:
            space.build_file("p", *self.rules())
            self.write(space)

    def rules(self) -> list[str]:
        """Layers of genrules, each of which reads two files of the layer before, slowly."""
        rules = []
        for layer in range(LAYERS):
            for i in range(SOURCES):
                before = [
                    f"s{j % SOURCES}.txt" if layer == 0 else f"':n{layer - 1}_{j % SOURCES}'"
                    for j in (i, i + 1)
                ]
                command = (
                    "cat $(SRCS) > out/tmp.txt; "
                    f"echo n{layer}_{i} $$(sha256sum < out/tmp.txt) >> {self.ran}; "
                    f"head -c 9 out/tmp.txt > $@; sleep 0.0{(i + layer) % 4}; sha256sum < out/tmp.txt >> $@"
                )
                srcs = ", ".join(before)
                name = f"n{layer}_{i}"
                rules.append(
                    f'genrule: {{name: {name}, srcs: [{srcs}], outs: [{name}.txt], cmd: "{command}"}}'
                )
        return rules

    def write(self, space: WorkspaceFolder) -> None:
        """Bring the sources of a workspace up to date."""
        for name, text in self.sources.items():
            path = space.root / "p" / name
            if not path.exists() or path.read_text() != text:
                path.write_text(text)

    def expected(self) -> dict[str, str]:
        """What each output must hold."""
        made = dict(self.sources)
        for layer in range(LAYERS):
            for i in range(SOURCES):
                names = [
                    f"s{j % SOURCES}.txt" if layer == 0 else f"n{layer - 1}_{j % SOURCES}.txt"
                    for j in (i, i + 1)
                ]
                text = "".join(made[name] for name in names)
                made[f"n{layer}_{i}.txt"] = text[:9] + hashlib.sha256(text.encode()).hexdigest() + "  -\n"
        return {name: text for name, text in made.items() if name.startswith("n")}

    def check(self, space: WorkspaceFolder) -> None:
        """Build, and compare everything."""
        space.ok("//...", *self.flags, timeout_s=PATIENCE_S)
        for name, text in self.expected().items():
            path = space.output(f"p/{name}")
            assert path.read_text() == text, name
            assert path.stat().st_mode & 0o222 == 0

    def edit(self) -> None:
        """Change a source in both workspaces, sometimes back to an old content."""
        name = self.random.choice(sorted(self.sources))
        self.sources[name] = self.random.choice(["first", "other", f"new {self.random.random()}"])
        for space in self.spaces:
            self.write(space)

    def runs(self) -> list[str]:
        """What ran, in order."""
        return self.ran.read_text().splitlines()


def _workspace(disk: Path, name: str) -> WorkspaceFolder:
    root = disk / name
    root.mkdir()
    (root / "pyproject.toml").write_text("[tool.stbuild]\n")
    return WorkspaceFolder(root=root, cache=disk / "cache")


def finished_events(space: WorkspaceFolder) -> list[dict[str, str]]:
    """The events of finished actions; the last line may be torn."""
    found = []
    log = space.root / "stbuild-out/.stbuild/events.ndjson"
    for line in log.read_text().splitlines() if log.exists() else []:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if event["event"] == "action_finished":
            found.append(event)
    return found


def wait_for_silence(space: WorkspaceFolder) -> None:
    """Fail when a process of a dead build lives on in its folders."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        alive = [
            each.name
            for each in Path("/proc").iterdir()
            if each.name.isdigit() and lives_in(each, space.root)
        ]
        if not alive:
            return
        time.sleep(0.05)
    pytest.fail(f"orphans: {alive}")


def lives_in(process: Path, root: Path) -> bool:
    """Whether a process has its current folder in the workspace."""
    try:
        return (process / "cwd").readlink().is_relative_to(root / "stbuild-out")
    except OSError:
        return False
