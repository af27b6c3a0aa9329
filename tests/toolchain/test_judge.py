"""Judges of reports: what fails although the tool ended well, and what is only told."""

from pathlib import Path

import pytest

from stbuild.errors import StbuildError
from stbuild.package.link_report import LinkReport
from stbuild.toolchain.vitis.judge_kernels import judge_kernel
from stbuild.toolchain.vitis.judge_link import Demands, judge_link
from tests.toolchain import hls_texts, texts

CFG = "platform=x\nkernel_frequency=0:250\n"
CARD = Demands(target="hw", slack_ns=0.0, timed=True)
TIMING_RPT = "impl_1_hw_bb_locked_timing_summary_routed.rpt"


def reports(folder: Path, **files: str) -> Path:
    """A folder of reports, good ones unless others are given."""
    good = {
        TIMING_RPT: texts.MET,
        "automation_summary.txt": clock(250),
        "a.xclbin.link_summary": texts.LINK_SUMMARY,
    }
    for name, text in {**good, **files}.items():
        if text:
            (folder / name).write_text(text)
    return folder


def clock(mhz: float) -> str:
    """An automation summary."""
    return texts.AUTOMATION.replace("300.000000 MHz\nAchieved", "250.000000 MHz\nAchieved").replace(
        "285.700000", f"{mhz:.6f}"
    )


def test_a_good_link_is_told_in_a_line(tmp_path: Path) -> None:
    slr = texts.SLR_UTIL.format(bram=" 7.44").replace("104.6", " 94.6")
    found = judge_link(reports(tmp_path, **{"impl_1_slr_util_routed.rpt": slr}), CFG, CARD, ())
    assert found.line == "kernels at 250 MHz, WNS +0.003 ns"
    assert found.tool.startswith("Vitis V++ Compiler Release 2022.2")
    assert [(use.place, use.lut, use.worst) for use in found.places[:2]] == [
        ("SLR0", 64352, "bram36 23.66 %"),
        ("SLR1", 58106, "lut 13.45 %"),
    ]


def test_negative_slack_fails_and_tells_the_clock(tmp_path: Path) -> None:
    folder = reports(tmp_path, **{TIMING_RPT: texts.UNMET, "automation_summary.txt": clock(211.8)})
    with pytest.raises(StbuildError) as caught:
        judge_link(folder, CFG, CARD, ())
    assert caught.value.message == (
        "timing is not met: slack -0.721 ns at 250 MHz, 10576 endpoints fail; v++ lowered the kernel clock to 211.8 MHz"
    )
    accepted = judge_link(folder, CFG, Demands(target="hw", slack_ns=-0.8, timed=True), ("loop x",))
    assert accepted.line == "kernels at 211.8 MHz of 250 asked for, WNS -0.721 ns, 1 loop misses its II"


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({TIMING_RPT: ""}, "no timing report was kept"),
        ({"automation_summary.txt": ""}, "no report tells at which clock the kernels run"),
        ({"automation_summary.txt": clock(300)}, "the kernels run at 300 MHz, 250 were asked for"),
        (
            {"impl_1_slr_util_routed.rpt": texts.SLR_UTIL.format(bram="107.4")},
            "SLR2 needs 50 .107.4 %. bram36",
        ),
        ({"impl_1_full_util_routed.rpt": texts.DEVICE_UTIL}, "device needs 315 of 288 bram36"),
    ],
)
def test_what_cannot_be_trusted_fails(tmp_path: Path, files: dict[str, str], sentence: str) -> None:
    with pytest.raises(StbuildError, match=sentence):
        judge_link(reports(tmp_path, **files), CFG, CARD, ())


def test_the_routed_report_counts_and_the_log_tells_the_clock_if_nothing_else_does(tmp_path: Path) -> None:
    placed = {
        "impl_1_timing_summary_placed.rpt": texts.UNMET,
        "automation_summary.txt": "",
        "link.log": texts.SELECTED,
    }
    found = judge_link(reports(tmp_path, **placed), "kernel_frequency=300\n", CARD, ())
    assert (found.clock_mhz, found.wns) == (272, 0.003)


def test_hw_emu_has_no_timing(tmp_path: Path) -> None:
    folder = reports(tmp_path, **{TIMING_RPT: "", "automation_summary.txt": ""})
    found = judge_link(folder, CFG, Demands(target="hw_emu", slack_ns=0, timed=False), ())
    assert isinstance(found, LinkReport)
    assert found.line == "kernels at 250 MHz"


def kernel_files(folder: Path, log: str, source: str) -> tuple[Path, Path, Path]:
    """The reports of a kernel, and its source."""
    files = {"k.csynth.xml": hls_texts.SUMMARY_XML, "k.csynth.rpt": hls_texts.SUMMARY_RPT, "k.cpp": source}
    for name, text in files.items():
        (folder / name).write_text(text)
    (folder / "k.log").write_text(log)
    return folder / "k.csynth.xml", folder / "k.csynth.rpt", folder / "k.cpp"


VIOLATION = (
    "WARNING: [HLS 200-880] The II Violation in module 'top_Pipeline_VITIS_LOOP_57_1' (loop 'VITIS_LOOP_57_1'): "
    "Unable to enforce a carried dependence constraint (II = 3, distance = 1, offset = 0) between 'store' operation "
    "('add_write_ln61', in/k.cpp:61) and 'load' operation ('add_load', in/k.cpp:60).\n"
)
RESULT = "INFO: [HLS 200-1470] Pipelining result : Target II = 1, Final II = 4, Depth = 28, loop 'VITIS_LOOP_57_1'\n"


@pytest.mark.parametrize(
    ("log", "place"),
    [(VIOLATION + RESULT, "k.cpp:61"), (RESULT, "k.cpp:57"), ("", "k.cpp:57")],
)
def test_a_loop_that_misses_its_ii_is_named_with_its_line(tmp_path: Path, log: str, place: str) -> None:
    xml, text, source = kernel_files(tmp_path, log, "int x;\n")
    (missed,) = judge_kernel("k", xml, text, log, source).missed
    asked = " where 1 is asked for" if log else ""
    assert missed.sentence == f"loop VITIS_LOOP_57_1 of k has II 4{asked}, {place}"


def test_a_labelled_loop_is_found_in_the_source(tmp_path: Path) -> None:
    xml, text, source = kernel_files(tmp_path, "", "int x;\nvoid f() {\n  rows:\n  for (;;) {}\n}\n")
    xml.write_text(hls_texts.SUMMARY_XML.replace("VITIS_LOOP_57_1", "rows"))
    log = RESULT.replace("VITIS_LOOP_57_1", "rows")
    (missed,) = judge_kernel("k", xml, text, log, source).missed
    assert missed.place == "k.cpp:3"


def test_a_loop_at_its_target_is_not_named(tmp_path: Path) -> None:
    xml, text, source = kernel_files(tmp_path, "", "")
    text.write_text(hls_texts.SUMMARY_RPT.replace("    II|", "     -|"))
    log = RESULT.replace("Target II = 1", "Target II = 4")
    report = judge_kernel("k", xml, text, log, source)
    assert report.missed == ()
    assert report.synthesis.modules[1].loops[0].target_ii == 4
