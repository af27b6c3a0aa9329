"""Build tools on one layered graph of shell commands, in one run: cold, nothing to do, one file changed.

    python -m benchmarks.engine.bench [--count 1000] [--repeat 3]

Tools that the machine lacks are left out. Every figure is the median wall time in seconds, measured here; the
last column is the peak memory of the tool's own processes.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engine.graph import (
    Node,
    layered,
    write_doit,
    write_make,
    write_ninja,
    write_sources,
    write_stbuild,
)

CHECKOUT = Path(__file__).resolve().parents[2]
STBUILD = (str(CHECKOUT / "stbuildw"), ":everything", "--plain")


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One competitor: how its files are written and how it is called with as many jobs as ninja takes."""

    name: str
    write: Callable[[Path, list[Node]], None]
    argv: tuple[str, ...]
    clean: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Seconds of each situation, and peak memory."""

    cold: float
    noop: float
    changed: float
    hits: float | None
    memory_mb: int


def tools() -> list[Tool]:
    """The tools that this machine has."""
    jobs = str((os.cpu_count() or 1) + 2)
    doit = [sys.executable, "-m", "doit", "-n", jobs, "-P", "thread", "--backend", "sqlite3"]
    every = [
        Tool(name="ninja", write=write_ninja, argv=("ninja", "-j", jobs)),
        Tool(name="make", write=write_make, argv=("make", "-s", "-j", jobs)),
        Tool(name="doit", write=write_doit, argv=(*doit, "--check_file_uptodate", "timestamp")),
        Tool(name="stbuild off", write=write_stbuild, argv=(*STBUILD, "-j", jobs, "--sandbox=off"),
             clean=(STBUILD[0], "clean")),
        Tool(name="stbuild", write=write_stbuild, argv=(*STBUILD, "-j", jobs), clean=(STBUILD[0], "clean")),
    ]  # fmt: skip
    return [tool for tool in every if shutil.which(tool.argv[0])]


def timed(argv: Sequence[str], folder: Path, env: dict[str, str]) -> float:
    """The wall time of one call, which must succeed."""
    began = time.perf_counter()
    subprocess.run(
        argv, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True
    )
    return time.perf_counter() - began


def measure(tool: Tool, count: int, repeat: int) -> Figures:
    """Run one tool in a folder of its own."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "work"
        folder.mkdir()
        nodes = layered(count)
        write_sources(folder, count)
        tool.write(folder, nodes)
        env = {**os.environ, "STBUILD_CACHE": f"{place}/cache"}
        cold = timed(tool.argv, folder, env)
        time.sleep(0.1)
        timed(tool.argv, folder, env)
        noop = statistics.median(timed(tool.argv, folder, env) for _ in range(repeat))
        changes = []
        for number in range(repeat):
            (folder / "src/s5.txt").write_text(f"change {number}\n")
            changes.append(timed(tool.argv, folder, env))
        hits = None
        if tool.clean:
            timed(tool.clean, folder, env)
            hits = timed(tool.argv, folder, env)
    memory_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    return Figures(cold=cold, noop=noop, changed=statistics.median(changes), hits=hits, memory_mb=memory_mb)


def measure_apart(tool: Tool, count: int, repeat: int) -> Figures:
    """Measure in a child, so that the peak memory is this tool's alone."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        figures = measure(tool, count, repeat)
        os.write(writer, repr(figures).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        text = stream.read()
    os.waitpid(pid, 0)
    figures = eval(text)
    assert isinstance(figures, Figures)
    return figures


def main() -> None:
    """Print a table, and the ratios to ninja."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    print(f"{options.count} actions, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    print(
        f"{'':12} {'cold':>7} {'no-op':>7} {'changed':>8} {'all hits':>9} {'MiB':>5}   to ninja: cold, no-op"
    )
    first: Figures | None = None
    for tool in tools():
        found = measure_apart(tool, options.count, options.repeat)
        first = first or found
        hits = f"{found.hits:9.2f}" if found.hits is not None else f"{'-':>9}"
        ratios = f"{found.cold / first.cold:6.2f} {found.noop / first.noop:6.2f}"
        row = f"{found.cold:7.2f} {found.noop:7.3f} {found.changed:8.2f} {hits} {found.memory_mb:5}"
        print(f"{tool.name:12} {row}   {ratios}", flush=True)


if __name__ == "__main__":
    main()
