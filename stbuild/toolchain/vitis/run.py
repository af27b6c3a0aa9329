"""Runs a program of Vitis in an action's folder and takes what counts of what it leaves behind.

It is a part of the key of each such action, of which a link takes hours: it judges nothing and imports only
the argv builders.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from stbuild.toolchain.vitis import vpp

WORK = Path("tmp/vitis")
"""Where a step may leave what it likes."""
FOLDERS = vpp.Folders(temp="tmp/vitis/_x", logs="tmp/vitis/logs", reports="tmp/vitis/reports")


def run(argv: Sequence[str]) -> bytes:
    """Run a program, show what it prints as it comes, and return that; its failure ends this process."""
    print("$", *argv, flush=True)
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=_environment()
    )
    assert process.stdout is not None
    told = []
    for line in process.stdout:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
        told.append(line)
    code = process.wait()
    if code:
        _tell_errors()
        sys.exit(128 - code if code < 0 else code)
    return b"".join(told)


def one(*names: str) -> Path:
    """The file that a step must have made, by the first of its possible names."""
    for name in names:
        found = sorted(WORK.rglob(name.rpartition("/")[2]))
        found = [path for path in found if str(path).endswith(name)]
        if found:
            return min(found, key=lambda path: len(path.parts))
    sys.exit(f"error: the tool ended well, but made no {names[0]}")


def _environment() -> dict[str, str]:
    """What settings64.sh would set, from where v++ lies; a library path of the user's breaks hw_emu."""
    env = {name: value for name, value in os.environ.items() if name != "LIBRARY_PATH"}
    program = shutil.which("v++")
    if program:
        env["XILINX_VITIS"] = str(Path(program).parent.parent)
    return env


def _tell_errors() -> None:
    """Print the errors of the runs that a failed step only points to."""
    for path in sorted(WORK.rglob("runme.log")):
        lines = path.read_text(errors="replace").splitlines()
        grave = [line for line in lines if line.startswith(("ERROR", "CRITICAL WARNING"))]
        if grave:
            print(f"===> from {path}:", *grave[:50], sep="\n", flush=True)
