"""`--target hw` of Llama-2-7B with the mock v++, beside sw_emu: `python -m benchmarks.hw`.

Works on a fresh clone of this checkout's last commit, each target with an empty cache of its own. The mock is
no Vitis: clang parses each kernel as synthesis would, and g++ makes the image. Every figure is measured here.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.llama2_7b import CHECKOUT, PROJECT, Figure
from tests.toolchain.installation import install

RATIO, NOTHING_S, ABSENT_S = 1.3, 0.1, 0.3


def measure(place: Path, rounds: int) -> Iterator[Figure]:
    """Both targets from nothing; `hw` again with nothing changed; what is told without Vitis.

    A deployment asks its card each time, so nothing to do is measured of the bundle.
    """
    root = place / "checkout"
    subprocess.run(["git", "clone", "-q", str(CHECKOUT), str(root)], check=True)
    (root / ".venv").symlink_to(CHECKOUT / ".venv")
    vitis = install(place / "xilinx", optimise="-O3").env
    emulated = seconds(root, place / "cache-emu", {}, "sw_emu")
    hardware = seconds(root, place / "cache-hw", vitis, "hw")
    yield Figure(name="sw_emu, empty cache", value=emulated, unit="s")
    yield Figure(name="hw with the mock, empty cache", value=hardware, unit="s", target=RATIO * emulated)
    yield Figure(
        name="hw, the card asked again", value=seconds(root, place / "cache-hw", vitis, "hw"), unit="s"
    )
    bundle = f"{PROJECT}:xclbin"
    seconds(root, place / "cache-hw", vitis, "hw", label=bundle)
    again = statistics.median(
        seconds(root, place / "cache-hw", vitis, "hw", label=bundle) for _ in range(rounds)
    )
    yield Figure(
        name="hw bundle, nothing changed", value=again, unit="s", target=NOTHING_S, note=f"median of {rounds}"
    )
    absent = statistics.median(seconds(root, place / "cache-hw", {}, "hw", 2) for _ in range(rounds))
    yield Figure(
        name="hw without Vitis, told", value=absent, unit="s", target=ABSENT_S, note=f"median of {rounds}"
    )


def seconds(
    root: Path, cache: Path, env: Mapping[str, str], target: str, code: int = 0, *, label: str = PROJECT
) -> float:
    """How long `stbuildw LABEL --target target` takes, which must end with `code`."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("XILINX", "PLATFORM"))}
    began = time.perf_counter()
    done = subprocess.run(
        [str(root / "stbuildw"), label, "--target", target],
        cwd=root,
        env={**clean, **env, "STBUILD_CACHE": str(cache)},
        stdout=sys.stderr,
        check=False,
    )
    took = time.perf_counter() - began
    if done.returncode != code:
        sys.exit(f"stbuild --target {target} ended with {done.returncode}, not {code}")
    return took


def main() -> int:
    """Print every figure beside its target; 1 if one is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where to clone and keep the caches (default: TMPDIR)")
    parser.add_argument("--rounds", type=int, default=5, help="repetitions of what is short (5)")
    options = parser.parse_args()
    missed = False
    with TemporaryDirectory(dir=options.folder, prefix="stbuild-hw-") as place:
        for figure in measure(Path(place), options.rounds):
            print(figure, flush=True)
            missed |= figure.target is not None and figure.value > figure.target
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
