"""A night over two projects and three cards with all builds cached, beside the sum of its measured runs.

    .venv/bin/python -m benchmarks.nightly [--project PROJECT]…

The first night builds what is not cached, and is not counted. The limit is 3 times the sum.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PROJECTS = ("projects/smollm2_135m", "projects/gpt2_medium")
RESULTS = "stbuild-out/nightly-benchmark"
LIMIT = 3.0
PLAN = """matrix:
  - project: [{projects}]
    platform: [u55c, u280, vck5000]
results: {results}
"""


def main() -> None:
    """Print the figures of the second night."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--project", action="append", help="a project's folder (two are usual)")
    projects = parser.parse_args().project or PROJECTS
    plan = ROOT / "stbuild-out/nightly-benchmark.yaml"
    plan.parent.mkdir(exist_ok=True)
    plan.write_text(PLAN.format(projects=", ".join(projects), results=RESULTS))
    print(f"{len(projects)} projects, 3 cards; load {os.getloadavg()[0]:.1f} at the start")
    run_night(plan)
    seconds, night = run_night(plan)
    measured = sum(cell["figures"]["measured_s"]["value"] for cell in night["cells"])
    built = sum(cell["figures"]["build_s"]["value"] for cell in night["cells"])
    for cell in night["cells"]:
        figures = {name: cell["figures"][name]["value"] for name in ("measured_s", "build_s", "actions_run")}
        told = ", ".join(f"{name} {value:.1f}" for name, value in figures.items())
        print(f"  {cell['project']} {cell['platform']}: {cell['outcome']}, {cell['seconds']:.1f} s ({told})")
    print(
        f"night {seconds:.1f} s, measured runs {measured:.1f} s, builds {built:.1f} s: "
        f"{seconds / measured:.2f} times (limit {LIMIT:g}); measured on this host"
    )


def run_night(plan: Path) -> tuple[float, dict[str, Any]]:
    """One night: how long it took, and what it found."""
    argv = (sys.executable, "-P", "-m", "stbuild", "nightly", str(plan), "--new", "--json")
    began = time.monotonic()
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=env, check=False)
    if not done.stdout:
        raise SystemExit(done.returncode)
    night: dict[str, Any] = json.loads(done.stdout)
    return time.monotonic() - began, night


if __name__ == "__main__":
    main()
