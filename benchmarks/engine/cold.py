"""Cold builds by two tools in turns, each in a new folder: ninja and stbuild, or stbuild of two checkouts.

    python -m benchmarks.engine.cold [--count 10000] [--pairs 5] [--old CHECKOUT [--sandbox off]]

Beside ninja ours is without a sandbox. With `--old` the peer is the stbuild of another checkout, both with
the sandbox that is asked for (by default what the machine has); what each takes to find nothing to do, and to
take all from the cache after `clean`, is measured too.

A cold build is mostly the start of processes and the making of files, and a machine that others share does
both at changing speed; so the ratio is taken pair by pair, and its median counts. All folders stay until the
end, for the reason that `bench` gives. What was deleted some minutes before a run costs too, whoever makes
files first: `TMPDIR=/dev/shm`, or an ext4 that has rested for ten minutes, gives steady figures.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.engine.bench import Course
from benchmarks.engine.targets import COLD_TO_NINJA, COLD_TO_OLD, NOOP_S
from benchmarks.engine.tools import CHECKOUT, Tool, stbuild_of, tools

Pair = tuple[float, float]
"""Wall and processor seconds."""

_NOOPS = 5


def cold(tool: Tool, count: int, place: Path, *, again: bool = False) -> list[Pair]:
    """A first build in the folder `place`; `again` adds the best of some no-ops, and hits after `clean`."""
    course = Course(tool, count, place, patience_s=600)
    os.sync()
    found = [course.timed(tool.argv)]
    if again:
        time.sleep(0.1)
        found.append(min(course.timed(tool.argv) for _ in range(_NOOPS)))
        course.timed(tool.clean)
        found.append(course.timed(tool.argv))
    return found


def contenders(old: Path | None, sandbox: str) -> tuple[Tool, Tool]:
    """The peer and ours."""
    if old is not None:
        flags = [f"--sandbox={sandbox}"] if sandbox else []
        return stbuild_of(old, "old", *flags), stbuild_of(CHECKOUT, "new", *flags)
    found = tools(["ninja", "stbuild-off"])
    if len(found) < 2:
        raise SystemExit("ninja is not on this machine, or `./stbuildw` is missing (apt install ninja-build)")
    return found[0], found[1]


def report(title: str, pairs: Sequence[tuple[Pair, Pair]], target: str) -> None:
    """The seconds of both, the least and the median ratio, and the target beside them."""
    wall, cpu = ([ours[which] / peer[which] for peer, ours in pairs] for which in (0, 1))
    theirs, ours = (min(pair[which][0] for pair in pairs) for which in (0, 1))
    print(
        f"{title}: {theirs:.2f} and {ours:.2f} s at best; of {len(pairs)} pairs the ratio of wall time is "
        f"{min(wall):.2f} at least, {statistics.median(wall):.2f} in the median, of processor time "
        f"{min(cpu):.2f} and {statistics.median(cpu):.2f}{target}"
    )


def main() -> None:
    """Print each pair, and the ratios beside the targets."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--old", type=Path, help="a checkout to compare with, in the place of ninja")
    parser.add_argument("--sandbox", default="", help="with --old: the sandbox of both")
    options = parser.parse_args()
    tool, our_tool = contenders(options.old, options.sandbox)
    print(f"{options.count} actions, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} at the start")
    print(f"wall (cpu) s: {tool.name}, {our_tool.name}, ratio")
    rows: list[tuple[list[Pair], list[Pair]]] = []
    with tempfile.TemporaryDirectory() as top:
        for number in range(options.pairs):
            again = options.old is not None
            peer = cold(tool, options.count, Path(top, f"{number}-{tool.name}"), again=again)
            ours = cold(our_tool, options.count, Path(top, f"{number}-{our_tool.name}"), again=again)
            rows.append((peer, ours))
            shown = [f"{wall:6.2f} ({cpu:6.2f})" for wall, cpu in (peer[0], ours[0])]
            ratios = [f"{mine / theirs:.2f}" for theirs, mine in zip(peer[0], ours[0], strict=True)]
            print(f"  {shown[0]}  {shown[1]}  {ratios[0]} ({ratios[1]})", flush=True)
    targets = [f"; target {COLD_TO_NINJA}"]
    if options.old is not None:
        targets = [f"; target {COLD_TO_OLD}", f"; target {NOOP_S} s", ""]
    for which, target in enumerate(targets):
        title = ("cold", "no-op", "hits after clean")[which]
        report(title, [(peer[which], ours[which]) for peer, ours in rows], target)


if __name__ == "__main__":
    main()
