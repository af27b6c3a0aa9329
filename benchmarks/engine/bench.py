"""Build tools on one layered graph of shell commands, in one run: cold, nothing to do, one file changed.

    python -m benchmarks.engine.bench [--count 1000] [--repeat 3] [--tools ninja,stbuild-off]

Tools that the machine lacks are left out. Times are in seconds, the median where a situation is repeated. The
processor time in brackets is that of the tool and of all that it ran: it says more than the wall time while
other programs keep the machine busy.

Nothing is deleted before the last first build: ext4 without a journal searches for minutes among the inodes
of deleted files when it makes new ones, 20 times as long, and so one tool would pay for another's rest.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
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
    memory_mib: int
    hits: tuple[float, float] | None = None


class Course:
    """One tool in a folder of its own, with a cache of its own."""

    def __init__(self, tool: Tool, count: int, place: Path, patience_s: float) -> None:
        self._tool = tool
        self._folder = place / "work"
        self._folder.mkdir(parents=True)
        self._patience_s = patience_s
        self._env = {**os.environ, "STBUILD_CACHE": f"{place}/cache"}
        self._env.pop("PYTHONDONTWRITEBYTECODE", None)
        write_sources(self._folder, count)
        tool.write(self._folder, layered(count))

    def run(self, repeat: int) -> Figures:
        """The first build, one with nothing to do, and one after a change."""
        cold = self.timed(self._tool.argv)
        time.sleep(0.1)
        noop = _median([self.timed(self._tool.argv) for _ in range(repeat)])
        changed = _median([self._change(number) for number in range(repeat)])
        memory_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        return Figures(cold=cold, noop=noop, changed=changed, memory_mib=memory_mib)

    def end(self) -> tuple[float, float] | None:
        """Remove what was built, build again from the cache where there is one, and let go."""
        hits = None
        if self._tool.clean:
            self.timed(self._tool.clean)
            hits = self.timed(self._tool.argv)
        if self._tool.stop:
            self.timed(self._tool.stop)
        return hits

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


def measure(course: Course, repeat: int) -> Figures | None:
    """Measure in a child, so that memory and processor time are this tool's; None when it failed."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        try:
            os.write(writer, json.dumps(asdict(course.run(repeat))).encode())
        except (subprocess.TimeoutExpired, SystemExit) as problem:
            print(problem, file=sys.stderr)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        text = stream.read()
    os.waitpid(pid, 0)
    return Figures(**json.loads(text)) if text else None


def row(figures: Figures, ninja: Figures) -> str:
    """The columns of one tool."""
    times = " ".join(map(_pair, (figures.cold, figures.noop, figures.changed)))
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
    chosen = tools([name for name in options.tools.split(",") if name])
    with tempfile.TemporaryDirectory() as place:
        courses = {
            tool.name: Course(tool, options.count, Path(place, tool.name), options.patience)
            for tool in chosen
        }
        found = first_builds(courses, options.repeat)
        found = again(courses, found)
    print(f"load {os.getloadavg()[0]:.1f} at the end")
    for sentence in misses(options.count, {name: asdict(each) for name, each in found.items()}):
        print(sentence)


def first_builds(courses: Mapping[str, Course], repeat: int) -> dict[str, Figures]:
    """A line for each tool that did not fail, with its ratios to the first."""
    heads = " ".join(f"{head:>16}" for head in ("cold", "no-op", "changed"))
    print(f"{'wall (cpu) s':12}{heads} {'MiB':>5}   to the first: cold wall, cold cpu, no-op wall")
    found: dict[str, Figures] = {}
    for name, course in courses.items():
        figures = measure(course, repeat)
        if figures is None:
            print(f"{name:12} failed, or took too long", flush=True)
            continue
        found[name] = figures
        print(f"{name:12}{row(figures, next(iter(found.values())))}", flush=True)
    return found


def again(courses: Mapping[str, Course], found: Mapping[str, Figures]) -> dict[str, Figures]:
    """The figures with the time of all hits after `clean`, a line for each tool that has a cache."""
    print("hits after clean")
    ended = {name: replace(figures, hits=_hits(courses[name])) for name, figures in found.items()}
    for name, figures in ended.items():
        if figures.hits:
            print(f"{name:12}{_pair(figures.hits)}")
    return ended


def _hits(course: Course) -> tuple[float, float] | None:
    try:
        return course.end()
    except (subprocess.TimeoutExpired, SystemExit) as problem:
        print(problem, file=sys.stderr)
        return None


def _pair(pair: tuple[float, float]) -> str:
    return f"{pair[0]:7.2f} ({pair[1]:6.2f})"


def _median(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(wall for wall, _ in pairs), statistics.median(cpu for _, cpu in pairs)


def _processor_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
