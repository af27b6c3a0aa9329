"""One place of the matrix: builds it, measures it on its device, and says what came of it."""

import platform
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from stbuild import __version__
from stbuild.engine.keys.tools import cpu_model
from stbuild.engine.load.configured import Configuration
from stbuild.errors import NoRoomError, StbuildError
from stbuild.library.products import Products, build_products
from stbuild.nightly.bench import Bench
from stbuild.nightly.comparing import compare
from stbuild.nightly.device_run import run_on_device
from stbuild.nightly.figures import figures_of_build, figures_of_design, figures_of_runs
from stbuild.nightly.found import ACCURACY
from stbuild.nightly.outcome import Fault, Outcome
from stbuild.nightly.plan import Plan
from stbuild.nightly.repeating import combined
from stbuild.nightly.runs import Broken, Request, Runs
from stbuild.nightly.slowness import slow_suspects, slowness
from stbuild.nightly.suspicion import odd_figures, suspects
from stbuild.nightly.values import Cell, Figure, Result
from stbuild.runtime.devices.lease import LeaseError, covering, leased
from stbuild.runtime.devices.opening import NATIVE
from stbuild.runtime.devices.reset import reset_device

ALONE, CHECKED = ("xclbin", "cycles", "accuracy"), ("deploy",)
"""The targets of a project that a night makes, as far as it has them: without the device, and on it."""
ON_DEVICE = ("smoke", "deploy")
"""The targets that tell what a build for hardware did on its device."""
JUDGES = ("deploy", "check", "accuracy")
"""Targets that fail when a result is wrong."""


def run_cell(bench: Bench, cell: Cell, tries: int) -> Result:
    """Build and measure; a device that fails is reset and tried again, `tries` times in all."""
    began_s, began = time.time(), time.monotonic()
    try:
        result = _built(bench, cell, tries)
    except NoRoomError as error:
        result = _result(cell, Outcome.NOT_MEASURED, fault=Fault.DISK_FULL, message=str(error))
    except LeaseError:
        raise
    except StbuildError as error:
        result = _result(cell, Outcome.BUILD_FAILED, message=str(error))
    return replace(result, began_s=began_s, seconds=time.monotonic() - began)


def log_of(cell: Cell) -> str:
    """The name of the cell's log, below the night's folder."""
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in str(cell)) + ".log"


def _built(bench: Bench, cell: Cell, tries: int) -> Result:
    made = _build(bench, cell, ALONE)
    result = None if made.failures else _leased(bench, cell, made, tries)
    made, measured = result or (made, _failed(cell, made))
    bundle = _bundle(made)
    figures = [*figures_of_build(made)]
    if bundle is not None:
        figures += figures_of_design(made, bundle)
    known = replace(measured, figures=(*figures, *measured.figures), keys=made.keys, tools=_tools(made))
    return _judged(bench.plan, known)


def _build(bench: Bench, cell: Cell, names: tuple[str, ...]) -> Products:
    """Build targets; a check for hardware is made on the cell's device."""
    return build_products(
        replace(bench.workspace, device=cell.device),
        cell.project,
        names,
        Configuration(platform=cell.platform, target=cell.target),
        command=f"nightly {cell}",
        origin="nightly",
        listeners=(bench.hear,),
    )


def _leased(bench: Bench, cell: Cell, made: Products, tries: int) -> tuple[Products, Result]:
    """What uses the device: the check, which a build for a card does there, and the measurement."""

    def waiting(pid: str) -> None:
        bench.tell(f"{cell.device} is in use by process {pid}; waiting for it")

    wait_s = bench.plan.measure.wait_s
    with leased(cell.device, wait_s, waiting) as held:
        if not held:
            message = f"another night has had {cell.device} for {wait_s:g} s"
            return made, _result(cell, Outcome.NOT_MEASURED, fault=Fault.BUSY, message=message)
        with covering(cell.device):
            checked = made.joined(_build(bench, cell, CHECKED))
        if _fails_on_device(cell, checked):
            result = _measure(bench, cell, checked, tries)
            if result.outcome is not Outcome.GOOD:
                return checked, result
            with covering(cell.device):
                checked = made.joined(_build(bench, cell, CHECKED))
        if checked.failures:
            return checked, _failed(cell, checked)
        if _bundle(checked) is None or checked.file("reference", "expected") is None:
            message = f"//{cell.project} makes no bundle with a reference; a night needs an llm_accelerator"
            return checked, _result(cell, Outcome.BUILD_FAILED, message=message)
        return checked, _measure(bench, cell, checked, tries)


def _fails_on_device(cell: Cell, made: Products) -> bool:
    """Whether only the check on a card failed: the measurement, which is ended where it hangs, tells why."""
    on_device = {f"//{cell.project}:{name}" for name in ON_DEVICE}
    labels = {failure.label for failure in made.failures}
    return cell.device != NATIVE and bool(labels) and labels <= on_device and _bundle(made) is not None


def _measure(bench: Bench, cell: Cell, made: Products, tries: int) -> Result:
    """Measure the bundle; where its check gave no tokens there is nothing that it could be compared with."""
    bundle, expected = _bundle(made), made.file("reference", "expected")
    assert bundle is not None
    request = _request(bench, cell, bundle, expected or bench.folder / "no reference")
    return _compared(bench, cell, request, _tried(bench, cell, request, tries))


def _compared(bench: Bench, cell: Cell, request: Request, result: Result) -> Result:
    """The result with what a comparison of commits says; one that is slow by the commit is no slow device."""
    slow = result.fault is Fault.SLOW
    if result.outcome is not Outcome.GOOD and not slow:
        return result
    found = (
        slow_suspects(bench, cell, result.figures)
        if slow
        else suspects(bench.history, cell, bench.night, result.figures)
    )
    comparisons = compare(bench, cell, request, found, bench.folder / log_of(cell))
    known = replace(result, comparisons=comparisons)
    by_commit = next((each for each in comparisons if each.is_commit), None)
    if slow and by_commit is not None:
        old, new = f"{by_commit.old:.4g} tok/s", f"{by_commit.new:.4g}"
        message = f"{by_commit.figure} is {new}, that of an earlier commit in the same night {old}"
        return replace(known, fault=None, message=message)
    return known


def _bundle(made: Products) -> Path | None:
    return next(iter(made.files.get("xclbin", ())), None)


def _failed(cell: Cell, made: Products) -> Result:
    """What the failures of a build say; one that is no judge's comes first."""
    first = min(made.failures, key=lambda each: each.label.rpartition(":")[2] in JUDGES)
    wrong = first.label.rpartition(":")[2] in JUDGES
    outcome = Outcome.WRONG_RESULT if wrong else Outcome.BUILD_FAILED
    return _result(cell, outcome, message="\n".join(first.sentences()))


def _tools(made: Products) -> dict[str, str]:
    """The versions of what built and measured."""
    own = {"stbuild": __version__, "python": platform.python_version(), "linux": platform.release()}
    return {**own, "cpu": cpu_model().partition(" fpu ")[0], **made.tools}


def _request(bench: Bench, cell: Cell, bundle: Path, expected: Path) -> Request:
    measure = bench.plan.measure
    return Request(
        bundle=str(bundle),
        device=cell.device,
        expected=str(expected),
        prompt_tokens=measure.prompt_tokens,
        new_tokens=measure.new_tokens,
        repeats=measure.repeats,
        launch_limit_s=measure.launch_limit_s,
        max_temperature_c=measure.max_temperature_c,
        opener=bench.opener,
    )


def _tried(bench: Bench, cell: Cell, request: Request, tries: int) -> Result:
    """Measure until it goes well, or as often as may be; before each new try the device is reset."""
    log = bench.folder / log_of(cell)
    before: Broken | None = None
    for number in range(1, tries + 1):
        found, figures = _measured(bench, cell, request, log)
        broken = found if isinstance(found, Broken) else _slow(bench, cell, figures)
        if broken is None:
            return replace(_recovered(cell, before), described=found.described, tries=number, figures=figures)
        if number < tries:
            bench.tell(f"{cell}: {broken.message}; {_reset(cell.device, broken)}, trying again")
            before = broken
    assert broken is not None
    result = _broken(cell, broken)
    return replace(result, described=broken.described, tries=tries, figures=figures)


def _measured(
    bench: Bench, cell: Cell, request: Request, log: Path
) -> tuple[Runs | Broken, tuple[Figure, ...]]:
    """Measure once, or more often where a value looks odd; what came last, and the figures."""
    found = run_on_device(request, bench.folder, log)
    if isinstance(found, Broken):
        return found, ()
    measurements = [tuple(figures_of_runs(found))]
    odd = odd_figures(bench.history, cell, bench.host, measurements[0])
    again = bench.plan.measure.again if odd else 0
    if again:
        bench.tell(f"{cell}: {', '.join(odd)} may have shifted; measuring {again} times more")
    for _ in range(again):
        found = run_on_device(request, bench.folder, log)
        if isinstance(found, Broken):
            return found, ()
        measurements.append(tuple(figures_of_runs(found)))
    return found, combined(measurements)


def _recovered(cell: Cell, before: Broken | None) -> Result:
    """A cell that went well; wrong bits that a reset cures are the device's."""
    if before is None or before.fault != Fault.WRONG_BITS.value:
        message = f"well at the second try; before: {before.message}" if before else ""
        return _result(cell, Outcome.GOOD, message=message)
    message = f"{before.message}; right after a reset"
    return _result(cell, Outcome.BROKEN_DEVICE, fault=Fault.WRONG_BITS, message=message)


def _broken(cell: Cell, broken: Broken) -> Result:
    fault = Fault(broken.fault) if broken.fault else None
    match fault:
        case Fault.WRONG_BITS:
            outcome = Outcome.WRONG_RESULT
        case Fault.SLOW:
            outcome = Outcome.SLOWDOWN
        case Fault.BUSY | Fault.DISK_FULL | None:
            outcome = Outcome.NOT_MEASURED
        case _:
            outcome = Outcome.BROKEN_DEVICE
    return _result(cell, outcome, fault=fault, message=broken.message)


def _slow(bench: Bench, cell: Cell, figures: tuple[Figure, ...]) -> Broken | None:
    message = slowness(bench, cell, figures)
    return Broken(fault=Fault.SLOW.value, message=message, described=cell.device) if message else None


def _reset(device: str, broken: Broken) -> str:
    """Reset a device, unless it works and another process has it or there is no room; what was done."""
    if broken.fault in ("", Fault.BUSY.value, Fault.DISK_FULL.value):
        return "not reset"
    try:
        return reset_device(device)
    except StbuildError as error:
        return f"it was not reset ({error})"


def _judged(plan: Plan, result: Result) -> Result:
    """The result, or what limit it passes."""
    if result.outcome is not Outcome.GOOD:
        return result
    problems: Mapping[str, str] = {
        figure.kind: problem
        for figure in result.figures
        if (limit := plan.limit(figure)) and (problem := limit.problem(figure))
    }
    if not problems:
        return result
    wrong = any(kind in ACCURACY for kind in problems)
    outcome = Outcome.WRONG_RESULT if wrong else Outcome.SLOWDOWN
    return replace(result, outcome=outcome, message="; ".join(problems.values()))


def _result(cell: Cell, outcome: Outcome, *, fault: Fault | None = None, message: str = "") -> Result:
    return Result(cell=cell, outcome=outcome, fault=fault, message=message, began_s=0.0, seconds=0.0)


def is_quarantined(result: Result) -> bool:
    """Whether the device is to be left alone for the rest of the night; an emulated one is new each time."""
    return result.outcome is Outcome.BROKEN_DEVICE and result.cell.device != NATIVE
