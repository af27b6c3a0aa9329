"""Shapes that make build tools quadratic, at n and 2n: a chain, one action with many inputs, a large file.

    python -m benchmarks.engine.shapes [--chain 5000] [--inputs 15000] [--megabytes 3000]

Twice the work should take about twice the time; the large input is read once, in the first build.
"""

import argparse
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.engine.tools import STBUILD


def write_chain(folder: Path, count: int) -> None:
    """Each action reads what the one before made."""
    (folder / "start").write_text("x\n")
    lines = ["targets:", _genrule("n0", "start", "cat $(SRCS) > $@")]
    lines += [_genrule(f"n{i}", f"':n{i - 1}'", "cat $(SRCS) > $@") for i in range(1, count)]
    lines.append(f"  - filegroup: {{name: everything, srcs: [':n{count - 1}']}}")
    (folder / "BUILD.yaml").write_text("\n".join(lines) + "\n")


def write_inputs(folder: Path, count: int) -> None:
    """One action reads many source files."""
    (folder / "src").mkdir()
    for i in range(count):
        (folder / f"src/{i}").write_text(f"{i}\n")
    lines = [
        "targets:",
        _genrule("everything", "{glob: ['src/*']}", "ls in/src | wc -l > $@", brackets=False),
    ]
    (folder / "BUILD.yaml").write_text("\n".join(lines) + "\n")


def write_large(folder: Path, megabytes: int) -> None:
    """One action looks at the size of a file that takes long to read; its blocks are holes."""
    with (folder / "large").open("wb") as stream:
        stream.truncate(megabytes << 20)
    lines = ["targets:", _genrule("everything", "large", "stat -Lc %s $< > $@")]
    (folder / "BUILD.yaml").write_text("\n".join(lines) + "\n")


def measure(write: Callable[[Path, int], None], size: int) -> str:
    """Wall seconds of a cold build, of one with nothing to do, and after the BUILD file was touched."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "work"
        folder.mkdir()
        (folder / "pyproject.toml").write_text("[tool.stbuild]\n")
        write(folder, size)
        env = {**os.environ, "STBUILD_CACHE": f"{place}/cache"}
        cold = _timed(folder, env)
        noop = _timed(folder, env)
        (folder / "BUILD.yaml").touch()
        anew = _timed(folder, env)
    return f"cold {cold}   no-op {noop}   graph anew {anew}"


def main() -> None:
    """Print a line for each shape and size."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--chain", type=int, default=5000)
    parser.add_argument("--inputs", type=int, default=15_000)
    parser.add_argument("--megabytes", type=int, default=3000)
    options = parser.parse_args()
    print(f"wall (cpu) s, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} at the start")
    rows = (("chain", write_chain, options.chain), ("inputs", write_inputs, options.inputs))
    for name, write, size in rows:
        for count in (size, 2 * size):
            print(f"{name:10} {count:6}   {measure(write, count)}", flush=True)
    print(f"{'MiB input':10} {options.megabytes:6}   {measure(write_large, options.megabytes)}")


def _genrule(name: str, srcs: str, command: str, *, brackets: bool = True) -> str:
    listed = f"[{srcs}]" if brackets else srcs
    return f"  - genrule: {{name: {name}, srcs: {listed}, outs: [{name}.txt], cmd: '{command}', shell: sh}}"


def _timed(folder: Path, env: dict[str, str]) -> str:
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*STBUILD, "--sandbox=off"], cwd=folder, env=env, capture_output=True, check=True)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return f"{wall:6.2f} ({cpu:6.2f})"


if __name__ == "__main__":
    main()
