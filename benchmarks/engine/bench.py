"""Build tools on one layered graph of shell commands, in one run: cold, nothing to do, one file changed.

    python -m benchmarks.engine.bench [--count 1000] [--repeat 3] [--tools ninja,stbuild-off]

Tools that the machine lacks are left out. Times are in seconds, the median where a situation is repeated. The
processor time in brackets is that of the tool and of all that it ran: it says more than the wall time while
other programs keep the machine busy.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.engine.graph import layered, write_sources
from benchmarks.engine.targets import misses
from benchmarks.engine.tools import Tool, tools


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Wall seconds and processor seconds of each situation, and the peak memory of one process."""

    cold: tuple[float, float]
    noop: tuple[float, float]
    changed: tuple[float, float]
    hits: tuple[float, float] | None
    memory_mib: int


class Course:
    """One tool in a folder of its own, with a cache of its own."""

    def __init__(self, tool: Tool, count: int, place: Path, patience_s: float) -> None:
        self._tool = tool
        self._folder = place / "work"
        self._folder.mkdir()
        self._patience_s = patience_s
        self._env = {**os.environ, "STBUILD_CACHE": f"{place}/cache"}
        self._env.pop("PYTHONDONTWRITEBYTECODE", None)
        write_sources(self._folder, count)
        tool.write(self._folder, layered(count))

    def run(self, repeat: int) -> Figures:
        """Go through the situations."""
        cold = self.timed(self._tool.argv)
        time.sleep(0.1)
        noop = _median([self.timed(self._tool.argv) for _ in range(repeat)])
        changed = _median([self._change(number) for number in range(repeat)])
        hits = None
        if self._tool.clean:
            self.timed(self._tool.clean)
            hits = self.timed(self._tool.argv)
        if self._tool.stop:
            self.timed(self._tool.stop)
        memory_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        return Figures(cold=cold, noop=noop, changed=changed, hits=hits, memory_mib=memory_mib)

    def timed(self, argv: Sequence[str]) -> tuple[float, float]:
        """Wall and processor time of one call, which must succeed."""
        began, before = time.perf_counter(), _processor_s()
        done = subprocess.run(
            argv,
            cwd=self._folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=self._patience_s,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return time.perf_counter() - began, _processor_s() - before

    def _change(self, number: int) -> tuple[float, float]:
        (self._folder / "src/s5.txt").write_text(f"change {number}\n")
        return self.timed(self._tool.argv)


def measure(tool: Tool, count: int, repeat: int, patience_s: float) -> Figures | None:
    """Measure in a child, so that memory and processor time are this tool's; None when it failed."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        with suppress(subprocess.TimeoutExpired), tempfile.TemporaryDirectory() as place:
            figures = Course(tool, count, Path(place), patience_s).run(repeat)
            os.write(writer, json.dumps(asdict(figures)).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        text = stream.read()
    os.waitpid(pid, 0)
    return Figures(**json.loads(text)) if text else None


def row(figures: Figures, ninja: Figures) -> str:
    """The columns of one tool."""
    pairs = (figures.cold, figures.noop, figures.changed, figures.hits)
    times = " ".join(f"{pair[0]:7.2f} ({pair[1]:6.2f})" if pair else f"{'-':>16}" for pair in pairs)
    ratios = [figures.cold[each] / ninja.cold[each] for each in (0, 1)]
    ratios.append(figures.noop[0] / ninja.noop[0])
    return f"{times} {figures.memory_mib:5}   " + " ".join(f"{ratio:6.2f}" for ratio in ratios)


def main() -> None:
    """Print a table with the ratios to the first tool, and which of our targets are missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--tools", default="", help="names with commas between; all by default")
    parser.add_argument("--patience", type=float, default=600.0, help="seconds that one call may take")
    options = parser.parse_args()
    print(f"{options.count} actions, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} at the start")
    heads = " ".join(f"{head:>16}" for head in ("cold", "no-op", "changed", "hits"))
    print(f"{'wall (cpu) s':12}{heads} {'MiB':>5}   to the first: cold wall, cold cpu, no-op wall")
    found: dict[str, Figures] = {}
    for tool in tools([name for name in options.tools.split(",") if name]):
        figures = measure(tool, options.count, options.repeat, options.patience)
        if figures is None:
            print(f"{tool.name:12} failed, or took over {options.patience:.0f} s", flush=True)
            continue
        found[tool.name] = figures
        print(f"{tool.name:12}{row(figures, next(iter(found.values())))}", flush=True)
    print(f"load {os.getloadavg()[0]:.1f} at the end")
    for sentence in misses(options.count, {name: asdict(each) for name, each in found.items()}):
        print(sentence)


def _median(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(wall for wall, _ in pairs), statistics.median(cpu for _, cpu in pairs)


def _processor_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
