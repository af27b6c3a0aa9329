"""What stbuildw does before it hands over, with a mock python whose venv and pip only note their calls."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.conftest import CHECKOUT

MOCK_PYTHON = """#!/bin/sh
echo "$@" >> "$MOCK_LOG"
case "$*" in
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    "-m pip install"*) exit "$MOCK_PIP_EXIT" ;;
    -c*) exec "$MOCK_REAL" "$@" ;;
esac
"""


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """A checkout with nothing but stbuildw and requirements, and the calls of its mock python."""

    root: Path

    def run(self, index: str, pip_exit: int = 0) -> "subprocess.CompletedProcess[str]":
        """Run `stbuildw build x` with `index` as the one for torch."""
        env = {
            **os.environ,
            "no_proxy": "127.0.0.1",
            "STBUILD_PYTHON": str(self.root / "mock_python"),
            "STBUILD_TORCH_INDEX": index,
            "MOCK_LOG": str(self.root / "log"),
            "MOCK_PIP_EXIT": str(pip_exit),
            "MOCK_REAL": sys.executable,
        }
        argv = [str(self.root / "stbuildw"), "build", "x"]
        return subprocess.run(argv, env=env, capture_output=True, text=True, check=False)

    def calls(self) -> list[str]:
        """How python was called since the last time, the checks by `-c` and of pip's version aside."""
        log = self.root / "log"
        lines = log.read_text().splitlines()
        log.unlink()
        return [line for line in lines if not line.startswith(("-c", "-m pip --version"))]

    def install(self, *index: str) -> str:
        """The call of pip that installs, with these arguments for the index."""
        pip = "-m pip install --quiet --disable-pip-version-check"
        return " ".join((pip, *index, "-r", f"{self.root}/requirements.txt"))


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    for name in ("stbuildw", "requirements.txt"):
        shutil.copy(CHECKOUT / name, tmp_path / name)
    mock = tmp_path / "mock_python"
    mock.write_text(MOCK_PYTHON)
    mock.chmod(0o755)
    return Checkout(root=tmp_path)


@pytest.fixture
def answering(tmp_path: Path) -> Iterator[str]:
    """An index that answers."""
    (tmp_path / "index/torch").mkdir(parents=True)
    serve = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "index"))
    with ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def silent() -> Iterator[str]:
    """An index that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


HAND_OVER = "-P -s -m stbuild build x"


def test_the_first_call_installs_and_the_second_hands_over(checkout: Checkout, answering: str) -> None:
    first = checkout.run(answering)
    assert first.returncode == 0, first.stderr
    venv = f"-m venv {checkout.root}/.venv"
    assert checkout.calls() == [venv, checkout.install("--extra-index-url", answering), HAND_OVER]
    assert checkout.run(answering).stderr == ""
    log = (checkout.root / "log").read_text().splitlines()
    assert log == [HAND_OVER]


def test_changed_requirements_install_again(checkout: Checkout, answering: str) -> None:
    checkout.run(answering)
    checkout.calls()
    with (checkout.root / "requirements.txt").open("a") as file:
        file.write("six\n")
    assert checkout.run(answering).returncode == 0
    assert checkout.calls() == [checkout.install("--extra-index-url", answering), HAND_OVER]


def test_an_index_that_is_silent_costs_seconds_and_is_left_out(checkout: Checkout, silent: str) -> None:
    began = time.monotonic()
    done = checkout.run(silent)
    assert time.monotonic() - began < 10
    assert done.returncode == 0, done.stderr
    assert checkout.install() in checkout.calls()
    assert f"stbuildw: {silent} does not answer: torch comes from pip's own index" in done.stderr
    assert done.stderr.splitlines()[0].startswith("stbuildw: making")
    assert all(line.startswith("stbuildw: ") for line in done.stderr.splitlines())


def test_an_index_that_is_not_there_is_left_out(checkout: Checkout, tmp_path: Path) -> None:
    assert checkout.run((tmp_path / "none").as_uri()).returncode == 0
    assert checkout.install() in checkout.calls()


def test_after_a_failed_install_the_next_call_installs(checkout: Checkout, answering: str) -> None:
    done = checkout.run(answering, pip_exit=1)
    assert done.returncode == 2
    assert done.stderr.endswith("error: pip could not install requirements.txt; the lines above say why\n")
    assert HAND_OVER not in checkout.calls()
    assert checkout.run(answering).returncode == 0
    assert checkout.calls()[-2:] == [checkout.install("--extra-index-url", answering), HAND_OVER]


def test_no_index_stands_in_the_requirements() -> None:
    """An index that cannot be reached is retried for every package, by every way to install."""
    for name in ("requirements.txt", "requirements-dev.txt"):
        assert "index-url" not in (CHECKOUT / name).read_text()
