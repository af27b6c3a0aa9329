"""A cycle estimate in words: a table of the steps, and where their cycles went."""

from collections.abc import Iterator

from stbuild.limits import LOOPS_MHZ, clock_text
from stbuild.timing.estimate import CycleEstimate, Step, Times

SHOWN_PROCESSES = 8


def estimate_report(estimate: CycleEstimate) -> str:
    """The report that `cycle_estimate` writes; the same estimate gives the same text."""
    lines = [*_head(estimate), "", *_table(estimate)]
    for step in estimate.steps:
        lines += ["", *_where(step)]
    return "\n".join(lines) + "\n"


def speed_line(estimate: CycleEstimate, decode: Step, prefill: Step) -> str:
    """The closing line of a build."""
    return (
        f"{estimate.tokens_per_second(decode):.1f} tok/s decode ({decode.total:,} cycles), "
        f"{estimate.tokens_per_second(prefill):.1f} tok/s prefill of {prefill.tokens} tokens "
        f"({prefill.total:,} cycles) at {_clock(estimate)} on {estimate.platform}; {estimate.label}, "
        f"{100 * decode.modelled_share:.0f} % of the decode step's work modelled (no RTL twin)"
    )


def _clock(estimate: CycleEstimate) -> str:
    """The clock; a closing line says of it only what is not as usual."""
    usual = estimate.clock_mhz <= LOOPS_MHZ
    return f"{estimate.clock_mhz} MHz" if usual else clock_text(estimate.clock_mhz)


def _head(estimate: CycleEstimate) -> Iterator[str]:
    yield f"cycles of {estimate.model} on {estimate.platform}: {estimate.label}"
    yield f"  clock   {clock_text(estimate.clock_mhz)}"
    yield f"  memory  {estimate.bandwidth}"


def _table(estimate: CycleEstimate) -> Iterator[str]:
    yield (
        f"{'':44}{'cycles':>13}{'microseconds':>15}{'tok/s':>9}{'memory bound':>15}{'ratio':>7}"
        f"{'engine bound':>15}{'ratio':>7}"
    )
    for step in estimate.steps:
        yield (
            f"{_title(step):44}{step.total:>13,}{estimate.seconds(step) * 1e6:>15,.1f}"
            f"{estimate.tokens_per_second(step):>9.1f}{step.memory_bound:>15,}"
            f"{step.total / step.memory_bound:>7.2f}{step.engine_bound:>15,}"
            f"{step.total / step.engine_bound:>7.2f}"
        )


def _title(step: Step) -> str:
    launches = f", {len(step.cycles)} launches" if len(step.cycles) > 1 else ""
    return f"{step.name}, {_count(step.tokens)} from {step.position}{launches}"


def _count(tokens: int) -> str:
    return "1 token" if tokens == 1 else f"{tokens} tokens"


def _where(step: Step) -> Iterator[str]:
    total, engine = step.total, step.engine
    yield f"{_title(step)}: {step.memory_bytes / 1e6:,.1f} MB moved; the mean lane of the engine"
    for name, cycles in (
        ("works", engine.busy), ("waits for vectors", engine.vectors_wait),
        ("waits for weights", engine.weights_wait), ("waits to give results", engine.results_wait),
    ):  # fmt: skip
        yield f"  {name:48}{_percent(cycles, total)}"
    yield f"  {'of all work, modelled: no twin confirms it':48}{100 * step.modelled_share:6.1f} %"
    yield f"  {'the busiest processes':48}   works    no data   no room   cycles"
    for times, others in _busiest(step):
        more = f" and {others} like it" if others else ""
        waits = f"{_percent(times.data_wait, total)} {_percent(times.space_wait, total)}"
        twin = times.twin or "modelled"
        yield f"  {times.name + more:48}{_percent(times.busy, total)}  {waits}   {twin}"


def _busiest(step: Step) -> list[tuple[Times, int]]:
    """The busiest one of each group, with the number of others of its group."""
    groups: dict[str, list[Times]] = {}
    for times in sorted(step.processes, key=lambda t: (-t.busy, t.name)):
        groups.setdefault(times.group, []).append(times)
    return [(twins[0], len(twins) - 1) for twins in groups.values()][:SHOWN_PROCESSES]


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:6.1f} %"
