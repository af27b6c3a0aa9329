"""What tests of the build tool share: a workspace of their own, and the command run as a real process."""

import gc
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
pytest_plugins = ["pytester", "tests.golden_fixture", "tests.skips"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # As in a background job of a script,
    signal.signal(signal.SIGINT, signal.default_int_handler)  # where builds would ignore it too.


gc.set_threshold(50_000, 10, 10)


@pytest.fixture(scope="module", autouse=True)
def frozen() -> None:
    """Going through torch again and again would take half of the time of tests that make many objects."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with a slow test come first: of several workers none ends long before the others."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@dataclass(frozen=True, kw_only=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def status(self) -> str:
        """The first closing line."""
        return self.out.splitlines()[0] if self.out else ""


@dataclass(kw_only=True)
class WorkspaceFolder:
    """A workspace in a temporary folder, with a cache beside it."""

    root: Path
    cache: Path
    env: dict[str, str] = field(default_factory=dict)

    def write(self, path: str, text: str) -> Path:
        """Write a file of the workspace."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def build_file(self, package: str, *targets: str) -> None:
        """Write a BUILD.yaml with these entries, each `rule: {…}`."""
        self.write(f"{package}/BUILD.yaml", "targets:\n" + "".join(f"  - {each}\n" for each in targets))

    def environment(self) -> dict[str, str]:
        """What the command sees."""
        env = {**os.environ, "STBUILD_CACHE": str(self.cache), "PYTHONPATH": str(CHECKOUT), **self.env}
        for name in {"CI", "PYTHONDONTWRITEBYTECODE"} - set(self.env):
            env.pop(name, None)
        return env

    def start(self, *args: str, cwd: str = "") -> "subprocess.Popen[str]":
        """Begin `stbuild args`."""
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "stbuild", *args],
            cwd=self.root / cwd,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *args: str, cwd: str = "", timeout_s: float = 60) -> Done:
        """Run `stbuild args` to its end."""
        process = self.start(*args, cwd=cwd)
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return Done(code=process.returncode, out=out, err=err)

    def ok(self, *args: str, cwd: str = "", timeout_s: float = 60) -> Done:
        """Run a command that must succeed."""
        done = self.run(*args, cwd=cwd, timeout_s=timeout_s)
        assert done.code == 0, f"{args}: exit {done.code}\n{done.out}\n{done.err}"
        return done

    def fails(self, *args: str, cwd: str = "", code: int = 2) -> str:
        """Run a command that must fail without a traceback; what it says."""
        done = self.run(*args, cwd=cwd)
        assert done.code == code, f"{args}: exit {done.code}\n{done.out}\n{done.err}"
        assert "Traceback" not in done.err
        return done.err

    def events(self) -> list[dict[str, Any]]:
        """The events of the last build."""
        log = self.root / "stbuild-out/.stbuild/events.ndjson"
        return [json.loads(line) for line in log.read_text().splitlines()]

    def output(self, path: str, configuration: str = "u55c-sw_emu") -> Path:
        """An output by its path below the configuration's folder."""
        return self.root / "stbuild-out" / configuration / path


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of stbuild for all workers of pytest: for tests that need a build but do not test building."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared-cache"


@pytest.fixture
def make_workspace(tmp_path: Path) -> Callable[[str], WorkspaceFolder]:
    """Makes workspaces that share one cache."""

    def make(name: str) -> WorkspaceFolder:
        root = tmp_path / name
        root.mkdir()
        (root / "pyproject.toml").write_text("[tool.stbuild]\n")
        return WorkspaceFolder(root=root, cache=tmp_path / "cache")

    return make


@pytest.fixture
def workspace(make_workspace: Callable[[str], WorkspaceFolder]) -> WorkspaceFolder:
    """One workspace."""
    return make_workspace("ws")
