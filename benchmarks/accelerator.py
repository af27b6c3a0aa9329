"""What the generated machines would do on their cards, beside published boards and what memory allows.

    python -m benchmarks.accelerator [--launch-us 75] [--projects llama2_7b] [--cards u55c]

Builds `:cycles` of each design where it is not up to date, then simulates the launches. A figure is simulated
at the target clock (the processes without a twin under Verilator are modelled: `:cycles` prints their share),
on sizes that fit the card by the resource model, with the launch's overhead added. Nothing here has met a
card. The limit of a decode step is the bytes that it reads over 13.3 GB/s for each weight channel (on the
VCK5000 over its DDR4).
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from stbuild.chain.simulation import control_rates, run_step, set_bandwidth, set_latency
from stbuild.ir.design import Design
from stbuild.ir.program import Launch
from stbuild.ops.files import read_design
from stbuild.package.bundle import load_bundle
from stbuild.platform import Platform
from stbuild.runtime.devices.native import NativeDevice
from stbuild.timing.bandwidth import MemoryBandwidth, supply_of
from stbuild.timing.bounds import launches
from stbuild.timing.estimate import Step
from tests.accelerator import platform

ROOT = Path(__file__).resolve().parents[1]
LAUNCH_US = 75.0
"""A launch by XRT on a card: the middle of what its documents and users report; our emulation takes 100."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A step of a design: decode from `position`, or a prompt of `prompt` tokens; at least `least` is wanted.

    `least` and `aim` are tokens a second, or milliseconds at most for a prompt. `peer` is a board's figure.
    """

    project: str
    card: str
    position: int = 0
    prompt: int = 0
    aim: float
    least: float
    peer: str = "-"


LLAMA, GPT2, SMOLLM = "llama2_7b", "gpt2_medium", "smollm2_135m"
FIGURES = (
    Figure(project=LLAMA, card="u55c", position=512, aim=100, least=94, peer="FlightLLM 57 (U280)"),
    Figure(project=LLAMA, card="u55c", position=2047, aim=90, least=85),
    Figure(project=LLAMA, card="u55c", prompt=128, aim=400, least=450),
    Figure(project=LLAMA, card="u280", position=512, aim=94, least=85, peer="FlightLLM 57 (U280)"),
    Figure(project=LLAMA, card="vck5000", position=512, aim=13.4, least=13.4),
    Figure(project=GPT2, card="u55c", position=128, aim=1200, least=1000, peer="StreamTensor 230, CODO 231"),
    Figure(
        project=GPT2, card="u55c", prompt=128, aim=20, least=25, peer="StreamTensor 125, CODO 110, A100 8.65"
    ),
    Figure(project=SMOLLM, card="u55c", position=128, aim=2000, least=1700, peer="KV260 27"),
)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A design for a card, with its timed image open."""

    design: Design
    platform: Platform
    device: NativeDevice
    supply: MemoryBandwidth

    @staticmethod
    def of(project: str, card: str) -> "Machine":
        """Built first, if it is not."""
        target = f"projects/{project}:cycles"
        command = [str(ROOT / "stbuildw"), target, "--platform", card]
        subprocess.run(command, cwd=ROOT, check=True, stdout=sys.stderr)
        out = ROOT / f"stbuild-out/{card}-sw_emu/projects/{project}"
        design, chosen = read_design(out / "partition/design.json"), platform(card)
        device = NativeDevice(load_bundle(out / "xclbin/bundle"), out / "timed_link/kernels.so")
        supply = replace(supply_of(design, chosen), clock_mhz=design.sizes.clock_mhz)
        found = control_rates(design, supply)
        set_bandwidth(device, found)
        set_latency(device, dict.fromkeys(found, supply.latency_cycles))
        return Machine(design=design, platform=chosen, device=device, supply=supply)

    def step(self, figure: Figure) -> Step:
        """The launches of a figure."""
        decode = Launch(tokens=1, position=figure.position, head=True)
        way = launches(figure.prompt, self.design.sizes.chunk) if figure.prompt else (decode,)
        return run_step(self.device, self.design, self.supply, "", way)


def main() -> None:
    """Print a row for each figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--launch-us", type=float, default=LAUNCH_US)
    parser.add_argument("--projects", nargs="+", default=(LLAMA, GPT2, SMOLLM))
    parser.add_argument("--cards", nargs="+", default=("u55c", "u280", "vck5000"))
    options = parser.parse_args()
    print(f"simulated; a launch takes {options.launch_us:g} us more")
    print(_row("design", "step", "figure", "aim, at least", "of it", "limit", "of it", "peer (board)"))
    open_: dict[tuple[str, str], Machine] = {}
    for figure in FIGURES:
        key = figure.project, figure.card
        if figure.project in options.projects and figure.card in options.cards:
            if key not in open_:
                open_ = {key: Machine.of(*key)}
            print(_row(*_cells(figure, open_[key], options.launch_us)), flush=True)


def _cells(figure: Figure, machine: Machine, launch_us: float) -> Iterator[str]:
    """The columns of a figure."""
    step = machine.step(figure)
    seconds = step.total / machine.design.sizes.clock_mhz / 1e6 + len(step.cycles) * launch_us / 1e6
    bound_s = step.memory_bytes / _bandwidth(machine) + len(step.cycles) * launch_us / 1e6
    yield f"{figure.project} {figure.card}"
    yield f"prompt of {figure.prompt}" if figure.prompt else f"decode at {figure.position:,}"
    if figure.prompt:
        yield f"{seconds * 1e3:,.1f} ms"
        yield f"{figure.aim:g}, {figure.least:g} ms"
        yield f"{figure.least / seconds / 1e3:.2f}"
        yield from ("-", "-")
    else:
        yield f"{1 / seconds:,.1f} tok/s"
        yield f"{figure.aim:g}, {figure.least:g} tok/s"
        yield f"{1 / seconds / figure.least:.2f}"
        yield from (f"{1 / bound_s:,.1f}", f"{bound_s / seconds:.2f}")
    yield figure.peer


def _bandwidth(machine: Machine) -> float:
    """Bytes a second of all weight channels together."""
    supply = machine.supply
    banks = 1 if supply.interleaved else sum(engine.channels for engine in machine.design.engines)
    return supply.bytes_per_cycle * banks * machine.design.sizes.clock_mhz * 1e6


def _row(*cells: str) -> str:
    widths = (22, 18, 14, 18, 7, 10, 7, 0)
    return "".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


if __name__ == "__main__":
    main()
