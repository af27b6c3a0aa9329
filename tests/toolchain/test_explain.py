"""A log of Vitis is read for its first real error, what that means, and what to do."""

from pathlib import Path

import pytest

from stbuild.toolchain.vitis.explain import explain
from stbuild.toolchain.vitis.failure import explain_failure
from tests.conftest import WorkspaceFolder
from tests.toolchain import hls_texts, texts

WRAPPED = """\
[12:37:42] Run vpl: FINISHED. Run Status: impl ERROR

===>The following messages were generated while processing /home/u/_x/prj.runs/impl_1 :
{error}
ERROR: [VPL 60-773] In '/home/u/vpl/runme.log', caught Tcl error:  problem implementing dynamic region, \
impl_1: route_design ERROR, please look at the run log file '/home/u/impl_1/runme.log' for more information
WARNING: [VPL 60-732] Link warning: No monitor points found for BD automation.
ERROR: [VPL 60-704] Integration error, problem implementing dynamic region, impl_1: route_design ERROR, please \
look at the run log file '/home/u/impl_1/runme.log' for more information
ERROR: [VPL 60-1328] Vpl run 'vpl' failed
ERROR: [VPL 60-806] Failed to finish platform linker
INFO: [v++ 60-1442] [12:37:42] Run run_link: Step vpl: Failed
ERROR: [v++ 60-661] v++ link run 'run_link' failed
ERROR: [v++ 60-626] Kernel link failed to complete
ERROR: [v++ 60-703] Failed to finish linking
INFO: [v++ 60-1653] Closing dispatch client.
"""
ERRORS = {
    "congestion": "ERROR: [VPL 35-3] Design is not routable as its global congestion level is 7.",
    "timing": "ERROR: [VPL 101-2] design did not meet timing - pulse width violation",
    "platform year": "ERROR: [v++ 60-1299] The specified platform is not supported. Platform 'x.xpfm' (version "
    "2022.2) is not supported by the current tool version (2024.2)",
    "memory mapping": "ERROR: [CFGEN 83-2229] Failed to find single interface to reach all segments in {HBM[31]}",
    "sp name": "ERROR: [CFGEN 83-2292] --sp tag applied to an invalid port or argument name: m_axi_gmem0",
    "clock option": "ERROR: [CFGEN 83-2243] Malformed --clock.freqHz switch argument",
    "stream": "ERROR: [CFGEN 83-2284] No stream resources found that can accomodate compute unit k_1.out",
    "fixed platform": "ERROR: [v++ 60-1606] Platform 'kv260.xsa' is a non-accelerated platform",
    "package": "ERROR: [v++ 60-2351] Option 'package.sd_file' is valid only when 'package.boot_mode' is 'sd'",
    "licence": "ERROR: [Common 17-345] A valid license was not found for feature 'Synthesis' and/or device 'xcu55c'",
    "packing": "ERROR: [Place 30-487] The packing of instances into the device could not be obeyed. There are a "
    "total of 54960 CLBs",
    "over-use": "ERROR: [Place 30-640] Place Check : This design requires more RAMB36/FIFO cells than are available",
    "region": "ERROR: [VPL 18-5241] HPR Routing Violation: net x does not belong to any PBLOCK",
    "emulation": "ERROR: [XSIM 43-3225] Cannot find design unit xil_defaultlib.pfm_top_wrapper",
    "constraints": "ERROR: [VPL 101-2] ERROR: [Vivado 12-1433] Expecting a non-empty list of cells",
    "C++ for synthesis": "ERROR: [v++ 207-3776] use of undeclared identifier 'x' (k.cpp:9:4)",
    "unsynthesisable": "ERROR: [HLS 214-134] Pointer to pointer is not supported for variable 'p' (k.cpp:15:23)",
    "crash": "ERROR: [VPL 60-777] Sorry, but it appears that a Xilinx program has terminated unexpectedly.",
    "black box": "ERROR: [VPL INBB-3] Black Box Instances: Cell 'x' has undefined contents",
    "system headers": "ERROR: [v++ 17-1309] Gcc: /usr/include/features.h:489:12: fatal error: sys/cdefs.h: No such file",
    "year 2022": "ERROR: '2201011234' is an invalid argument. Please specify an integer value.",
}


@pytest.mark.parametrize("name", ERRORS)
def test_the_cause_is_found_before_what_only_says_that_a_step_failed(name: str) -> None:
    found = explain(WRAPPED.format(error=ERRORS[name]))
    assert (found.name, found.line) == (name, 4)
    assert found.error.startswith(ERRORS[name][:40])
    assert found.meaning and found.advice
    assert found.look_at == "/home/u/impl_1/runme.log"


def test_a_resolution_belongs_to_its_message() -> None:
    error = f"{ERRORS['congestion']}\nResolution: Run report_route_status to get a full summary."
    assert explain(WRAPPED.format(error=error)).error.endswith("to get a full summary.")


def test_a_cause_that_only_a_wrapper_carries_is_the_cause() -> None:
    log = (
        "ERROR: [v++ 60-773] In '/h/vitis_hls.log', caught Tcl error: ERROR: [HLS 200-1023] Part 'xcu280' is not "
        "installed\nERROR: [v++ 60-599] Kernel compilation failed to complete\n"
    )
    found = explain(log)
    assert (found.name, found.line, found.look_at) == ("part", 1, "/h/vitis_hls.log")


def test_without_a_cause_the_wrapper_tells_where_to_look() -> None:
    found = explain(WRAPPED.format(error=""))
    assert found.error == "problem implementing dynamic region, impl_1: route_design ERROR"
    assert (found.name, found.look_at) == ("", "/home/u/impl_1/runme.log")


def test_the_clocks_below_a_message_are_shown_with_it_in_the_form_of_2019() -> None:
    log = WRAPPED.format(
        error="ERROR: [VPL-4] design did not meet timing - Design did not meet timing. List of clocks with failure:\n"
        "system clock: txoutclk_out[0]; slack: -0.030 ns"
    )
    found = explain(log)
    assert (found.name, found.line) == ("timing", 4)
    assert found.error.endswith("system clock: txoutclk_out[0]; slack: -0.030 ns")


def test_hls_that_fails_without_a_cause_is_told() -> None:
    only = "ERROR: [HLS 200-1715] Encountered problem during source synthesis\nPre-synthesis failed.\n"
    assert [explain(text).name for text in (only, "INFO: [HLS 200-111] Elapsed\nSynthesis failed.\n")] == [
        "HLS stopped",
        "command failed",
    ]


def test_the_compiler_below_a_message_is_shown_with_it() -> None:
    log = (
        "ERROR: [HLS 200-70] Compilation errors found: Pragma processor failed: In file included from a.cc:1:\n"
        "In file included from a.cc:1:\na.hpp:19:58: error: expected ')'\nvoid f(\n"
    )
    assert explain(log).error.endswith("a.hpp:19:58: error: expected ')'")


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("Killed", "no memory"),
        ("make: *** [Makefile:12: a.xclbin] Error 137", "no memory"),
        ("terminate called after throwing an instance of 'std::bad_alloc'", "no memory"),
        ("write error: No space left on device", "disk full"),
        ("Abnormal program termination (11)", "crash"),
        ("// ERROR!!! DEADLOCK DETECTED at 1535000 ns! SIMULATION WILL BE STOPPED! //", "deadlock"),
        ("/tools/bin/xclbinutil: line 49: /usr/bin/xclbinutil: No such file or directory", "missing tool"),
    ],
)
def test_a_death_without_a_message_is_found(line: str, name: str) -> None:
    log = (
        "INFO: [v++ 60-1443] [11:22:03] Run run_link: Step vpl: Started\n"
        f"{line}\nERROR: [v++ 60-661] v++ link run 'run_link' failed\n"
    )
    found = explain(log)
    assert (found.name, found.line, found.error) == (name, 2, line)


@pytest.mark.parametrize(
    ("end", "name"),
    [
        ("/tools/loader: line 312: 4711 Killed   $RDI_PROG", "no memory"),
        ("host.cpp:3:10: fatal error: xrt/xrt_device.h: No such file or directory", "C++"),
    ],
)
def test_a_step_that_ended_well_does_not_hide_that_a_later_one_failed(end: str, name: str) -> None:
    compiled = "INFO: [v++ 60-586] Created k.xo\nINFO: [v++ 60-791] Total elapsed time: 0h 2m 3s\n"
    found = explain(f"{compiled}[21:45:04] Run vpl: Step impl: Started\n{end}\n")
    assert (found.name, found.line) == (name, 4)
    assert not explain(f"{end}\n{compiled}").failed


def test_the_compiler_tells_why_a_simulation_failed() -> None:
    error = "../tb.cpp:12:10: fatal error: 'nothere.h' file not found"
    found = explain(f"{error}\nERROR: [SIM 211-100] 'csim_design' failed: compilation error(s).\n")
    assert (found.line, found.error, found.name) == (1, error, "C++")


@pytest.mark.parametrize(
    ("error", "name"),
    [
        ("ERROR: [Common 17-49] Internal Data Exception: write failed: No space left on device", "disk full"),
        ("ERROR: [HLS 200-627] Cannot find C test bench.", "test bench"),
    ],
)
def test_a_message_that_names_the_machine_or_the_test_bench_is_known(error: str, name: str) -> None:
    assert explain(f"{error}\n").name == name


@pytest.mark.parametrize(
    "end",
    [
        "INFO: [HLS 200-111] Finished generating all RTL models Time (s): cpu = 00:00:37",
        "INFO: [COSIM 212-1000] *** C/RTL co-simulation finished: PASS ***",
        "INFO: [SIM 211-1] CSim done with 0 errors.",
    ],
)
def test_hls_and_its_simulations_end_well(end: str) -> None:
    found = explain(f"{end}\n")
    assert (found.failed, found.finished) == (False, True)


def test_a_log_that_prints_a_timing_table_is_a_log(workspace: WorkspaceFolder) -> None:
    error = "ERROR: [Place 30-640] This design requires more RAMB36 cells than are available"
    workspace.write("run.log", f"INFO: [Timing 38-35] Done\n{texts.MET}\n{error}\n")
    assert f"first error (line {texts.MET.count(chr(10)) + 3})" in workspace.ok("explain-log", "run.log").out


def test_a_success_has_notes() -> None:
    log = (
        f"INFO: [v++ 204-61] Pipelining loop 'exp'.\n"
        "INFO: [v++ 200-1470] Pipelining result : Target II = 3, Final II = 4, Depth = 28, loop 'exp'\n"
        "INFO: [v++ 200-1470] Pipelining result : Target II = NA, Final II = 5, Depth = 5, loop 'free'\n"
        "INFO: [v++ 200-790] **** Loop Constraint Status: All loop constraints were NOT satisfied.\n"
        f"{texts.SCALED}\nINFO: [v++ 60-791] Total elapsed time: 0h 59m 42s\n"
    )
    found = explain(log)
    assert (found.failed, found.finished) == (False, True)
    assert [note.text.partition(":")[0] for note in found.notes] == ["WARNING", "INFO", "loop 'exp'"]
    assert found.notes[2].text == "loop 'exp': II 4 where 3 was asked for"


def test_a_clean_log_says_so() -> None:
    found = explain("INFO: [v++ 60-586] Created a.xclbin\nINFO: [v++ 60-791] Total elapsed time: 0h 1m 2s\n")
    assert (found.failed, found.finished, found.notes) == (False, True, ())


def test_a_log_with_colours_marks_and_carriage_returns_is_read() -> None:
    log = "50 %\r# \x1b[31mERROR: [CFGEN 83-2243] Malformed --clock.freqHz switch argument\x1b[0m\r\n"
    assert explain(log).name == "clock option"


def test_the_build_tool_gets_the_line_and_the_advice() -> None:
    line, hint = explain_failure(WRAPPED.format(error=ERRORS["congestion"]))
    assert line == ERRORS["congestion"]
    assert hint.startswith("wires do not fit: the design cannot be routed: spread kernels over SLRs")
    assert explain_failure("all is well\n") == ("", "")


FILES = {
    "link.log": (WRAPPED.format(error=ERRORS["sp name"]), "first error (line 4): ERROR: [CFGEN 83-2292]"),
    "csynth.xml": (
        hls_texts.SUMMARY_XML,
        "  loop VITIS_LOOP_57_1 of top_Pipeline_VITIS_LOOP_57_1: II 4, 24 trips",
    ),
    "csynth.rpt": (hls_texts.MODULE_RPT, "  loop FOLD of sampler: II 4 where 1 was asked for, 8 trips"),
    "timing.rpt": (texts.UNMET, "timing is not met: WNS -0.721 ns"),
    "slr.rpt": (texts.SLR_UTIL.format(bram="107.4"), "over-used: bram36 of SLR2"),
    "a.xclbin.link_summary": (texts.LINK_SUMMARY, "  step vpl: CS_FAILED"),
    "a.xclbin.info": (
        texts.XCLBIN_INFO.format(system=texts.SYSTEM_CLOCKS),
        "kernels run at 135.3 MHz, 150 MHz",
    ),
}


def test_explain_log_knows_logs_and_reports(workspace: WorkspaceFolder) -> None:
    for name, (text, _) in FILES.items():
        workspace.write(name, text)
    told = workspace.ok("explain-log", *FILES).out
    parts = told.split(":\n")
    assert len(parts) >= len(FILES)
    for name, (_, line) in FILES.items():
        assert f"{name}:\n" in told
        assert line in told


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("dear diary\n", "this is no log or report of Vitis that is known"), ("\0\1", "this is no text"),
     ("<profile>\n<UserAss", "this is no whole XML file"), (None, "the file cannot be read: No such file")],
)  # fmt: skip
def test_explain_log_refuses_other_files(
    workspace: WorkspaceFolder, tmp_path: Path, text: str | None, sentence: str
) -> None:
    path = tmp_path / "x.log"
    if text is not None:
        path.write_text(text)
    assert sentence in workspace.fails("explain-log", str(path))
