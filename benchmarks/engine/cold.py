"""Cold builds by ninja and by stbuild without a sandbox, in turns, each in a new folder.

    python -m benchmarks.engine.cold [--count 10000] [--pairs 5]

A cold build is mostly the start of processes and the making of files, and a machine that others share does
both at changing speed; so the ratio is taken pair by pair, and its median counts. All folders stay until the
end, for the reason that `bench` gives. What was deleted some minutes before a run costs too, whoever makes
files first: `TMPDIR=/dev/shm`, or an ext4 that has rested for ten minutes, gives steady figures.
"""

import argparse
import os
import statistics
import tempfile
from pathlib import Path

from benchmarks.engine.bench import Course
from benchmarks.engine.targets import COLD_TO_NINJA
from benchmarks.engine.tools import Tool, tools


def cold(tool: Tool, count: int, place: Path) -> tuple[float, float]:
    """Wall and processor seconds of a first build in the new folder `place`."""
    course = Course(tool, count, place, patience_s=600)
    os.sync()
    return course.timed(tool.argv)


def main() -> None:
    """Print each pair, and the median of the ratios beside the target."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    contenders = tools(["ninja", "stbuild-off"])
    if len(contenders) < 2:
        raise SystemExit("ninja is not on this machine, or `./stbuildw` is missing (apt install ninja-build)")
    peer, ours = contenders
    print(f"{options.count} actions, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} at the start")
    print("wall (cpu) s        ninja            stbuild --sandbox=off    wall ratio (cpu)")
    ratios = []
    with tempfile.TemporaryDirectory() as top:
        for number in range(options.pairs):
            wall, cpu = cold(peer, options.count, Path(top, f"{number}-{peer.name}"))
            our_wall, our_cpu = cold(ours, options.count, Path(top, f"{number}-{ours.name}"))
            ratios.append((our_wall / wall, our_cpu / cpu))
            pair = f"{wall:6.2f} ({cpu:6.2f})          {our_wall:6.2f} ({our_cpu:6.2f})"
            print(f"             {pair}          {ratios[-1][0]:.2f} ({ratios[-1][1]:.2f})", flush=True)
    wall, cpu = (statistics.median(column) for column in zip(*ratios, strict=True))
    print(f"median of {options.pairs}: {wall:.2f} of wall, {cpu:.2f} of cpu; target {COLD_TO_NINJA}")


if __name__ == "__main__":
    main()
