"""Llama-2-7B from nothing to checked tokens, and again: `python -m benchmarks.llama2_7b`.

Works on a fresh clone of this checkout's last commit with an empty cache; only .venv is shared. Every figure
is measured here, once, beside its target; `of it` up to 1 meets the target.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.process_memory import PeakMemory
from stbuild.chain.record import Measured
from stbuild.ir import serde

CHECKOUT = Path(__file__).resolve().parents[1]
PROJECT = "projects/llama2_7b"
OUT = f"stbuild-out/u55c-sw_emu/{PROJECT}"
HEADERS = "hls_lib/include/stb"
EDITS = {
    "a comment": "// An edit that changes no object file.\n",
    "code": "__attribute__((used)) static const int stb_edited_{stem} = 1;\n",
}
EDITED = (("a comment", "norm"), ("code", "norm"), ("code", "attention"), ("code", "types"))
"""Edits that leave the results the same: headers that one kernel, and that all kernels include."""
EDIT_LIMIT_S = 10


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured value; without a target it is only told."""

    name: str
    value: float
    unit: str
    target: float | None = None
    note: str = ""

    def __str__(self) -> str:
        target = f"{self.target:7g} {self.value / self.target:8.2f}" if self.target else f"{'':16}"
        return f"{self.name:32} {self.value:9.2f} {self.unit:3} {target}  {self.note}".rstrip()


@dataclass(frozen=True, kw_only=True)
class Clone:
    """A clone of the last commit, with a cache of its own."""

    root: Path
    cache: Path

    def build(self, target: str = PROJECT) -> float:
        """Seconds of `stbuildw TARGET`, which must succeed."""
        env = {**os.environ, "STBUILD_CACHE": str(self.cache)}
        began = time.perf_counter()
        subprocess.run(
            [str(self.root / "stbuildw"), target], cwd=self.root, env=env, stdout=sys.stderr, check=True
        )
        return time.perf_counter() - began

    def actions(self) -> list[dict[str, Any]]:
        """The actions that the last build ran."""
        log = self.root / "stbuild-out/.stbuild/events.ndjson"
        events = [json.loads(line) for line in log.read_text().splitlines()]
        return [event for event in events if event["event"] == "action_finished"]


@contextmanager
def clone(folder: Path | None) -> Iterator[Clone]:
    """Clone into a temporary folder below `folder`."""
    with TemporaryDirectory(dir=folder, prefix="stbuild-llama2-") as place:
        root = Path(place) / "checkout"
        subprocess.run(["git", "clone", "-q", str(CHECKOUT), str(root)], check=True)
        (root / ".venv").symlink_to(CHECKOUT / ".venv")
        yield Clone(root=root, cache=Path(place) / "cache")


def measure(here: Clone) -> Iterator[Figure]:
    """Cold, nothing changed, one header edited."""
    with PeakMemory() as memory:
        cold = here.build()
    yield Figure(name="empty cache", value=cold, unit="s", target=120, note=f"{cpu_s():.0f} s of CPU time")
    yield Figure(
        name="peak memory of all processes", value=memory.peak_bytes / 1e9, unit="GB", target=14,
        note="resident, shared pages counted for each",
    )  # fmt: skip
    ran = here.actions()
    yield Figure(name="trace", value=seconds(ran, "Trace"), unit="s", target=20, note="prefill and decode")
    yield Figure(name="partition and C++", value=seconds(ran, "Partition", "Hls"), unit="s", target=10)
    step, steps = decode_step(here)
    yield Figure(
        name="one decode step", value=step, unit="s", target=0.6, note=f"mean of {steps}, emulated U55C"
    )
    yield Figure(name="nothing changed, first repeat", value=here.build(), unit="s", target=0.5)
    later = statistics.median(here.build() for _ in range(5))
    yield Figure(name="nothing changed, later", value=later, unit="s", target=0.1, note="median of 5")
    for what, stem in EDITED:
        yield edit_loop(here, what, stem)


def edit_loop(here: Clone, what: str, stem: str) -> Figure:
    """A header is edited, and the model is built and checked again."""
    with (here.root / HEADERS / f"{stem}.hpp").open("a") as header:
        header.write(EDITS[what].format(stem=stem))
    name = f"{what} added to {stem}.hpp"
    took = here.build()
    return Figure(name=name, value=took, unit="s", target=EDIT_LIMIT_S, note=f"ran {kinds(here.actions())}")


def cpu_s() -> float:
    """CPU seconds of all children that have ended, and theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def told(here: Clone) -> str:
    """What the build says of its check."""
    return str(json.loads((here.root / OUT / "deploy/summary.json").read_text())["check"])


def seconds(actions: Sequence[dict[str, Any]], *mnemonics: str) -> float:
    """How long these actions took, one after the other; they must be there."""
    found = {action["mnemonic"]: action["seconds"] for action in actions}
    return float(sum(found[mnemonic] for mnemonic in mnemonics))


def decode_step(here: Clone) -> tuple[float, int]:
    """Mean seconds of the decode steps of the smoke test, and how many they were."""
    times = serde.read(Measured, here.root / OUT / "smoke/measured.json").prompts
    steps = sum(time.decode_steps for time in times)
    return sum(time.decode_seconds for time in times) / steps, steps


def kinds(actions: Sequence[dict[str, Any]]) -> str:
    """Actions by kind, such as `5 actions: 4 VppCompile, 1 VppLink`."""
    counts = Counter(action["mnemonic"] for action in actions)
    listed = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    return f"{len(actions)} actions: {listed}"


def main() -> None:
    """Print a line as soon as a figure is known."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, help="where to work; some 10 GB (default: the system's own)")
    options = parser.parse_args()
    commit = subprocess.check_output(
        ["git", "-C", str(CHECKOUT), "log", "-1", "--format=%h"], text=True
    ).strip()
    print(f"Llama-2-7B at {commit}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before\n")
    print(f"{'':32} {'measured':>9} {'':3} {'target':>7} {'of it':>8}")
    with clone(options.folder) as here:
        for figure in measure(here):
            print(figure, flush=True)
        print(f"\n{told(here)}\nload {os.getloadavg()[0]:.1f} after")


if __name__ == "__main__":
    main()
