"""Time and memory of the float check of both projects: `python -m benchmarks.float_check`.

Works on a fresh clone of this checkout's last commit with an empty cache; only .venv is shared. What comes
before the check is built first; each check runs once.
"""

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path

from benchmarks.llama2_7b import Clone, Figure, clone, seconds
from benchmarks.process_memory import PeakMemory

LIMITS = {"smollm2_135m": (5.0, None), "llama2_7b": (60.0, 6.0)}
"""Seconds and GB of each project's check."""


def measure(here: Clone, project: str) -> Iterator[Figure]:
    """The check's own seconds, and the most memory of all processes while it ran."""
    most_s, most_gb = LIMITS[project]
    here.build(f"projects/{project}:weights")
    with PeakMemory() as memory:
        here.build(f"projects/{project}:check")
    took = seconds(here.actions(), "FloatCheck")
    yield Figure(name=f"{project}:check", value=took, unit="s", target=most_s)
    yield Figure(name=f"{project}:check, memory", value=memory.peak_bytes / 1e9, unit="GB", target=most_gb)


def told(here: Clone, project: str) -> str:
    """The check's own line."""
    summary = here.root / f"stbuild-out/u55c-sw_emu/projects/{project}/check/summary.json"
    return str(json.loads(summary.read_text())["floats"])


def main() -> None:
    """Print a line as soon as a figure is known."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, help="where to work (default: the system's own)")
    options = parser.parse_args()
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before\n")
    print(f"{'':32} {'measured':>9} {'':3} {'target':>7} {'of it':>8}")
    with clone(options.folder) as here:
        for project in LIMITS:
            for figure in measure(here, project):
                print(figure, flush=True)
            print(f"  {told(here, project)}", flush=True)
    print(f"load {os.getloadavg()[0]:.1f} after")


if __name__ == "__main__":
    main()
