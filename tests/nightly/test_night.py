"""A night: what it measures and leaves behind, how it goes on after a kill, and what its exit codes say."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from stbuild.nightly.figures import KINDS
from stbuild.nightly.history import FILE, Reader
from stbuild.nightly.outcome import EXIT_CODES, Outcome, worst
from stbuild.nightly.schema import VERSION
from stbuild.runtime.devices.lease import leased
from tests.conftest import CHECKOUT, WorkspaceFolder
from tests.engine.test_build import wait_for
from tests.nightly.conftest import PLAN, SIZES, RunNight

THREE = PLAN.replace("platform: u55c", "platform: [u55c, u280, vck5000]")


def test_a_night_measures_compares_and_remembers(night: RunNight) -> None:
    ended = night()
    (result,) = ended.results
    assert (ended.outcome, ended.exit_code, result.message) == (Outcome.GOOD, 0, "")
    figures = {figure.name: figure for figure in result.figures}
    wanted = {
        *(f"{kind}@{n}" for kind in ("tokens_per_s", "first_token_p50_ms", "token_p95_ms") for n in (3, 9)),
        *("cycles@decode", "cycles@prefill", "memory_bytes", "clock_mhz", "build_s", "actions_cached"),
    }
    assert wanted <= set(figures)
    assert {figure.kind for figure in result.figures} <= set(KINDS)
    assert all(figure.value >= 0 for figure in result.figures)
    assert figures["cycles@decode"].exact and not figures["tokens_per_s@3"].exact
    assert result.described == "emulated u55c on this host"
    assert len(result.keys["//tiny:hls#Hls"]) > 20 or result.keys
    assert "g++" in result.tools
    with Reader.open(ended.folder.parents[1] / FILE) as history:
        assert {series.figure for series in history.series()} == set(figures)


def test_exact_figures_are_the_same_the_next_night(night: RunNight) -> None:
    first, second = (
        {figure.name: figure.value for figure in night().results[0].figures if figure.exact} for _ in range(2)
    )
    assert first == second


def test_the_reports_are_json_and_junit(night: RunNight) -> None:
    plan = f"{PLAN}limits:\n  tokens_per_s: {{min: 1}}\n  tokens_per_s@3: {{min: 1.0e+9}}\n"
    plan += "  tokens_per_s@64: {min: 1}\n"
    told: list[str] = []
    ended = night(plan=plan, told=told)
    assert told[-1] == (
        "warning: the limit of tokens_per_s@64 holds for nothing: no place of the matrix has this figure"
    )
    assert (ended.outcome, ended.exit_code) == (Outcome.SLOWDOWN, 4)
    data = json.loads((ended.folder / "night.json").read_text())
    (cell,) = data["cells"]
    assert (data["outcome"], cell["outcome"], cell["device"]) == ("slowdown", "slowdown", "native")
    assert cell["message"].startswith("tokens_per_s@3 is ")
    assert cell["message"].endswith(" tok/s, at least 1e+09 is asked")
    suites = ElementTree.parse(ended.folder / "junit.xml").getroot()
    cases = {case.get("name"): case for case in suites.iter("testcase")}
    assert set(cases) == {"cell", "tokens_per_s@3", "tokens_per_s@9"}
    assert cases["tokens_per_s@9"].find("failure") is None
    assert (suites.get("tests"), suites.get("failures"), suites.get("errors")) == ("3", "2", "0")


def test_a_build_that_fails_stops_no_other(night: RunNight, built: WorkspaceFolder) -> None:
    built.write("bad/model.py", "def model():\n    raise ValueError('no model today')\n")
    built.build_file("bad", f"llm_accelerator: {{model: model.py, {SIZES}}}")
    ended = night(plan=PLAN.replace("project: tiny", "project: [bad, tiny]"))
    assert [result.outcome for result in ended.results] == [Outcome.BUILD_FAILED, Outcome.GOOD]
    assert "no model today" in ended.results[0].message
    assert ended.exit_code == 1
    suites = ElementTree.parse(ended.folder / "junit.xml").getroot()
    assert suites.get("errors") == "1"


@pytest.fixture
def gate(built: WorkspaceFolder) -> Iterator[Callable[[str], None]]:
    """Gives the project a target `accuracy`, by the attributes of a genrule."""
    before = (built.root / "tiny/BUILD.yaml").read_text()

    def add(attributes: str) -> None:
        built.write("tiny/BUILD.yaml", f"{before}  - genrule: {{name: accuracy, {attributes}}}\n")

    yield add
    built.write("tiny/BUILD.yaml", before)


def test_a_missed_gate_of_accuracy_is_a_wrong_result(night: RunNight, gate: Callable[[str], None]) -> None:
    gate("outs: [x], cmd: 'echo the integer results differ; exit 1'")
    ended = night()
    assert (ended.results[0].outcome, ended.exit_code) == (Outcome.WRONG_RESULT, 3)
    assert "the integer results differ" in ended.results[0].message


def test_accuracy_is_a_figure_of_a_night_and_a_wrong_result_when_it_gets_worse(
    night: RunNight, built: WorkspaceFolder, gate: Callable[[str], None]
) -> None:
    gate("srcs: [given.json], outs: [accuracy.json], cmd: 'cp $< $@'")
    given = {"kl": 0.01, "top1": 0.95, "perplexity": 10.5, "float_perplexity": 10.0}
    for kl, outcome in ((0.01, Outcome.GOOD), (0.01 + 1e-9, Outcome.WRONG_RESULT), (0.001, Outcome.GOOD)):
        built.write("tiny/given.json", json.dumps({**given, "kl": kl}))
        ended = night()
        figures = {figure.name: figure.value for figure in ended.results[0].figures}
        assert (figures["kl"], figures["top1"]) == (kl, 0.95)
        assert figures["perplexity_change"] == pytest.approx(0.05)
        assert ended.outcome is outcome


def test_what_is_no_accelerator_is_told(night: RunNight, built: WorkspaceFolder) -> None:
    built.build_file("plain", "genrule: {name: deploy, outs: [x], cmd: 'touch $@'}")
    ended = night(plan=PLAN.replace("project: tiny", "project: plain"))
    assert ended.results[0].message == (
        "//plain makes no bundle with a reference; a night needs an llm_accelerator"
    )


def test_a_device_that_another_night_has_is_waited_for_and_then_left(night: RunNight) -> None:
    told: list[str] = []
    with leased("native", 0, lambda _: None) as held:
        assert held
        ended = night(told=told)
    assert (ended.results[0].outcome, ended.exit_code) == (Outcome.NOT_MEASURED, 6)
    assert "another night has had native for 0.5 s" in ended.results[0].message
    assert f"native is in use by process {os.getpid()}; waiting for it" in told


def test_locks_that_cannot_be_made_are_no_failed_build(
    night: RunNight, built: WorkspaceFolder, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    built.write("locks.yaml", f"{PLAN.replace('DEVICE', 'native')}results: results-locks\n")
    before = built.env["STBUILD_DEVICE_LOCKS"]
    built.env["STBUILD_DEVICE_LOCKS"] = str(tmp_path / "file")
    told = built.fails("nightly", "locks.yaml")
    built.env["STBUILD_DEVICE_LOCKS"] = before
    assert told.startswith("error: the folder of device locks ") and len(told.splitlines()) == 1
    assert not (built.root / "results-locks").exists()


def start(built: WorkspaceFolder, name: str, results: str) -> "subprocess.Popen[str]":
    """`stbuild nightly` over three platforms, as a process."""
    built.write(name, f"{THREE.replace('DEVICE', 'native')}results: {results}\n")
    return built.start("nightly", name)


@pytest.mark.slow
def test_a_killed_night_goes_on_where_it_was(night: RunNight, built: WorkspaceFolder) -> None:
    night(plan=THREE)
    process = start(built, "killed.yaml", "results-killed")
    assert process.stderr is not None
    first = process.stderr.readline()
    assert first.startswith("[1/3] tiny u55c sw_emu native: good, ")
    process.kill()
    process.communicate(timeout=30)
    with Reader.open(built.root / "results-killed" / FILE) as history:
        (killed,) = history.nights()
        assert killed.ended_s is None
    done = built.ok("nightly", "killed.yaml", timeout_s=120)
    lines = done.err.splitlines()
    assert lines[0] == "going on with night 1: 1 of 3 are done"
    assert [line.split()[0] for line in lines[1:]] == ["[2/3]", "[3/3]"]
    assert done.out.startswith("night 1: good; 3 good in ")
    with Reader.open(built.root / "results-killed" / FILE) as history:
        (ended,) = history.nights()
        assert ended.outcome is Outcome.GOOD
        assert len(history.results(ended)) == 3
    assert "night 2: good" in built.ok("nightly", "killed.yaml", timeout_s=120).out


def test_a_device_that_hangs_does_not_outlive_a_killed_night(
    built: WorkspaceFolder, night: RunNight, tmp_path: Path
) -> None:
    night()
    file = built.write("hangs.yaml", f"{PLAN.replace('DEVICE', 'native')}results: results-hangs\n")
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from stbuild.engine.load.workspace import find_workspace\n"
        "from stbuild.nightly.night import run_night\nfrom stbuild.nightly.plan_file import read_plan\n"
        "workspace = find_workspace(Path(sys.argv[1]))\n"
        "plan = read_plan(Path(sys.argv[2]), workspace)\n"
        "run_night(plan, workspace, tell=print, opener='tests.nightly.faulty:open_faulty')\n"
    )
    count = tmp_path / "opened"
    faults = {"STBUILD_TEST_FAULT": "hung", "STBUILD_TEST_TIMES": "9", "STBUILD_TEST_COUNT": str(count)}
    argv = [sys.executable, "-c", program, str(built.root), str(file)]
    with subprocess.Popen(argv, cwd=CHECKOUT, env={**built.environment(), **faults}) as process:
        wait_for(count)
        (worker,) = processes_with("results-hangs/nights")
        process.kill()
        process.wait()
    end = time.monotonic() + 10
    while Path(f"/proc/{worker}").exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not Path(f"/proc/{worker}").exists()


def processes_with(text: str) -> list[int]:
    """The processes that have `text` in their command lines."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if text.encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def test_an_interrupt_ends_with_130_and_leaves_no_process(built: WorkspaceFolder, night: RunNight) -> None:
    night(plan=THREE)
    process = start(built, "interrupted.yaml", "results-interrupted")
    assert process.stderr is not None
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, "Traceback" in err) == (130, False)
    assert processes_with("results-interrupted/nights") == []


def test_a_second_night_in_the_same_results_is_refused(built: WorkspaceFolder, night: RunNight) -> None:
    night(plan=THREE)
    process = start(built, "twice.yaml", "results-twice")
    assert process.stderr is not None
    process.stderr.readline()
    refused = built.run("nightly", "twice.yaml")
    process.kill()
    process.communicate(timeout=30)
    assert refused.code == 2
    assert f"a night goes on already (process {process.pid})" in refused.err


def test_the_exit_codes_are_in_the_help_and_tell_outcomes_apart(built: WorkspaceFolder) -> None:
    assert len(set(EXIT_CODES.values())) == len(Outcome)
    text = built.ok("nightly", "--help").out
    for code in (*EXIT_CODES.values(), 2, 130):
        assert f"\n  {code} " in text
    assert worst([Outcome.GOOD, Outcome.SLOWDOWN, Outcome.BROKEN_DEVICE]) is Outcome.BROKEN_DEVICE
    assert worst([]) is Outcome.NOT_MEASURED


def test_a_history_from_the_future_and_a_newer_one_are_refused(built: WorkspaceFolder) -> None:
    plan = f"{PLAN.replace('DEVICE', 'native')}results: results-old\n"
    built.write("old.yaml", plan)
    assert built.ok("nightly", "old.yaml", timeout_s=120)
    file = built.root / "results-old" / FILE
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE night SET began_s = began_s + 1e6")
    assert "the clock was set back: the last night in the history is of " in built.fails(
        "nightly", "old.yaml"
    )
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 7")
    newer = f"the history has version 7, this stbuild reads up to {VERSION}"
    assert newer in built.fails("nightly", "old.yaml")


@pytest.mark.slow
def test_a_full_disk_is_told_in_a_sentence(built: WorkspaceFolder, night: RunNight, tmp_path: Path) -> None:
    night()
    disk = built.root / "results-full"
    disk.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0777", "tmpfs", str(disk)]
    if subprocess.run(argv, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        built.write("full.yaml", f"{PLAN.replace('DEVICE', 'native')}results: results-full\n")
        built.ok("nightly", "full.yaml", timeout_s=120)
        fill(disk / "filler")
        assert "no room is left to write in" in built.fails("nightly", "full.yaml", code=6)
        (disk / "filler").unlink()
        assert built.ok("nightly", "full.yaml", timeout_s=120).out.startswith("night 2: good")
        with Reader.open(disk / FILE) as history:
            assert [each.outcome for each in history.nights()] == [Outcome.GOOD, Outcome.GOOD]
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(path: Path) -> None:
    """Write until there is no room."""
    with path.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
        while True:
            stream.write(b"x" * 4096)
