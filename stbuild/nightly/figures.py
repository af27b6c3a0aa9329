"""The figures of a cell: what was built, what was simulated, and what was measured on the device."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from stbuild.library.products import Products
from stbuild.nightly.runs import Runs
from stbuild.nightly.values import Better, Figure
from stbuild.package import schema
from stbuild.package.bundle import load_bundle
from stbuild.package.link_report import LinkReport

KINDS: dict[str, str] = {
    "tokens_per_s": "decode speed behind a prompt of @ tokens (measured)",
    "first_token_p50_ms": "time to the first token, median of the repeats (measured)",
    "first_token_p95_ms": "95th percentile",
    "token_p50_ms": "time of a decode step, median (measured)",
    "token_p95_ms": "95th percentile",
    "token_p99_ms": "99th percentile",
    "measured_s": "how long the device ran for the measurement (measured)",
    "measurements": "how often the cell was measured, each time in a process of its own; medians count",
    "temperature_c": "hottest reading (measured, where the device tells)",
    "power_w": "mean of the readings (measured, where the device tells)",
    "cycles": "cycles of the step @ (simulated)",
    "kl": "KL divergence against float32 on a held text (exact integers)",
    "top1": "agreement of the likeliest token, 1 is all",
    "perplexity_change": "perplexity against float32, 0.01 is 1 % worse",
    "clock_mhz": "clock of the kernels: reported by the linker, on an emulated card as asked for",
    "wns_ns": "worst slack of set-up times (reported by the linker)",
    "whs_ns": "worst slack of hold times",
    "lut": "LUTs used in the place @ (reported by the linker)",
    "ff": "flip-flops",
    "bram36": "block RAMs of 36 Kb",
    "uram": "UltraRAMs",
    "dsp": "DSP slices",
    "memory_bytes": "size of all buffers on the card",
    "build_s": "time of the build, with all that was cached (measured)",
    "actions_run": "actions that ran",
    "actions_cached": "actions whose results were at hand",
}
"""Every kind of figure, with what it is."""

PROMPT_KINDS = tuple(kind for kind in KINDS if kind.startswith(("tokens_per_s", "token_p", "first_token_p")))
"""Kinds of figures with the length of a prompt behind @."""

_LOWER, _HIGHER, _NEITHER = Better.LOWER, Better.HIGHER, Better.NEITHER


def figures_of_build(made: Products) -> Iterator[Figure]:
    """How the build went."""
    yield Figure(name="build_s", value=made.seconds, unit="s")
    yield Figure(name="actions_run", value=made.ran, unit="actions", better=_NEITHER)
    cached = len(made.keys) - made.ran
    yield Figure(name="actions_cached", value=cached, unit="actions", better=_NEITHER)


def figures_of_design(made: Products, bundle: Path) -> Iterator[Figure]:
    """What stands in the reports of the build; each is the same for the same inputs."""
    manifest = load_bundle(bundle).manifest
    size = sum(buffer.bytes for buffer in manifest.buffers)
    yield Figure(name="memory_bytes", value=size, unit="bytes", exact=True)
    yield Figure(name="clock_mhz", value=manifest.clock_mhz, unit="MHz", better=_HIGHER, exact=True)
    for target, name, read in (
        ("cycles", "cycles.json", figures_of_cycles),
        ("accuracy", "accuracy.json", figures_of_accuracy),
        ("link", "link.json", figures_of_link),
    ):
        path = made.file(target, name)
        if path is not None:
            yield from read(path)


def figures_of_cycles(path: Path) -> Iterator[Figure]:
    """Those of a `CycleEstimate`."""
    for step in json.loads(path.read_text())["steps"]:
        name = f"cycles@{step['name'].replace(', ', '_').replace(' ', '_')}"
        yield Figure(name=name, value=sum(step["cycles"]), unit="cycles", exact=True)


def figures_of_accuracy(path: Path) -> Iterator[Figure]:
    """Those of the rule `accuracy`."""
    found = json.loads(path.read_text())
    yield Figure(name="kl", value=found["kl"], unit="nats", exact=True)
    yield Figure(name="top1", value=found["top1"], unit="of 1", better=_HIGHER, exact=True)
    change = found["perplexity"] / found["float_perplexity"] - 1
    yield Figure(name="perplexity_change", value=change, unit="of 1", exact=True)


def figures_of_link(path: Path) -> Iterator[Figure]:
    """Slack and area that a linker reported."""
    link = schema.read(LinkReport, path)
    for name, slack in (("wns_ns", link.wns), ("whs_ns", link.whs)):
        if slack is not None:
            yield Figure(name=name, value=slack, unit="ns", better=_HIGHER, exact=True)
    for place in link.places:
        for kind in ("lut", "ff", "bram36", "uram", "dsp"):
            count = getattr(place, kind)
            if count is not None:
                yield Figure(name=f"{kind}@{place.place}", value=count, unit=kind.upper(), exact=True)


def figures_of_runs(runs: Runs) -> Iterator[Figure]:
    """What the clock and the sensors said."""
    yield Figure(name="measured_s", value=runs.seconds, unit="s", better=_NEITHER)
    for tokens, first_s, steps_s in runs.lengths:
        at = f"@{tokens}"
        yield from _percentiles(f"first_token_p{{}}_ms{at}", first_s, (50, 95))
        if steps_s:
            yield from _percentiles(f"token_p{{}}_ms{at}", steps_s, (50, 95, 99))
            speed = len(steps_s) / sum(steps_s)
            yield Figure(name=f"tokens_per_s{at}", value=speed, unit="tok/s", better=_HIGHER)
    if runs.temperatures_c:
        yield Figure(name="temperature_c", value=max(runs.temperatures_c), unit="°C")
    if runs.powers_w:
        yield Figure(name="power_w", value=float(np.mean(runs.powers_w)), unit="W")


def _percentiles(name: str, seconds: Sequence[float], wanted: Sequence[int]) -> Iterator[Figure]:
    for each in wanted:
        value = float(np.percentile(seconds, each)) * 1000
        yield Figure(name=name.format(each), value=value, unit="ms")
