"""Simulated cycles of both projects on the three cards, in one table.

    python benchmarks/cycles.py [--projects smollm2_135m llama2_7b] [--platforms u55c u280 vck5000]

Builds `:cycles` of each project for each card where it is not up to date. Every figure is simulated;
`:cycles` prints the share of the work that no RTL twin confirms.
"""

import argparse
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from stbuild.ir import serde
from stbuild.timing.estimate import LABEL, CycleEstimate, Step

ROOT = Path(__file__).resolve().parents[1]
PROJECTS = ("smollm2_135m", "llama2_7b")
PLATFORMS = ("u55c", "u280", "vck5000")


def main() -> None:
    """Print a row for each step of each design."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--projects", nargs="+", default=PROJECTS)
    parser.add_argument("--platforms", nargs="+", default=PLATFORMS)
    options = parser.parse_args()
    print(f"{LABEL}; microseconds at the target clock")
    print(row("design", "step", "cycles", "us", "tok/s", "/ memory", "/ engine"))
    for project in options.projects:
        for platform in options.platforms:
            estimate = build(project, platform)
            for step in estimate.steps:
                print(row(f"{project} {platform}", *columns(estimate, step)), flush=True)


def build(project: str, platform: str) -> CycleEstimate:
    """The estimate of one project on one card."""
    target = f"projects/{project}:cycles"
    subprocess.run(
        [ROOT / "stbuildw", target, "--platform", platform], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
    )
    return serde.read(
        CycleEstimate, ROOT / f"stbuild-out/{platform}-sw_emu/projects/{project}/cycles/cycles.json"
    )


def columns(estimate: CycleEstimate, step: Step) -> tuple[str, ...]:
    """Name, cycles, microseconds, tokens a second, and the ratios to both bounds."""
    return (
        f"{step.name} ({step.tokens} from {step.position})",
        f"{step.total:,}",
        f"{estimate.seconds(step) * 1e6:,.1f}",
        f"{estimate.tokens_per_second(step):.1f}",
        f"{step.total / step.memory_bound:.2f}",
        f"{step.total / step.engine_bound:.2f}",
    )


def row(design: str, step: str, *figures: str) -> str:
    """One line of the table."""
    return f"{design:22} {step:34}" + "".join(f"{figure:>14}" for figure in figures)


if __name__ == "__main__":
    main()
