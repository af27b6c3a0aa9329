"""Reports of HLS, Vivado and v++ are read as their tools print them, in the forms of several versions."""

import pytest

from stbuild.errors import StbuildError
from stbuild.toolchain.vitis.clocks import KernelClock, kernel_clock
from stbuild.toolchain.vitis.csynth_text import parse_csynth_text
from stbuild.toolchain.vitis.csynth_xml import parse_csynth_xml
from stbuild.toolchain.vitis.numbers import number
from stbuild.toolchain.vitis.step_record import parse_step_record
from stbuild.toolchain.vitis.timing import parse_timing
from stbuild.toolchain.vitis.utilisation import parse_utilisation
from tests.toolchain import hls_texts, texts


@pytest.mark.parametrize(
    ("text", "value"),
    [("3.7", 3.7), ("1,024", 1024), ("4.00 ns", 4), (" 52 (~0%)", 52), ("2 ~ 196626", 196626), ("-0.721", -0.721),
     ("<0.01", 0.01), ("82553 [  6.99%]", 82553), ("6.811e+05", 681100), ("-", None), ("?", None), ("undef", None),
     ("inf", None), ("~0", None), ("", None), (None, None), ("NA", None)],
)  # fmt: skip
def test_a_cell_is_a_number_or_none(text: str | None, value: float | None) -> None:
    assert number(text) == value


def test_the_xml_of_one_module_of_2019_has_nested_loops_and_dsp48e() -> None:
    found = parse_csynth_xml(hls_texts.MODULE_XML)
    (top,) = found.modules
    assert (found.top, found.version, found.target_ns, found.estimated_ns) == ("Reader", "2019.2", 4.0, 4.163)
    assert (top.area.dsp, top.area.bram18, found.available.dsp) == (160, 4, 9024)
    assert (top.worst_latency, top.interval) == (None, None)
    assert [(loop.name, loop.path, loop.ii, loop.trip_count) for loop in top.loops] == [
        ("requests", (), None, None),
        ("reads", ("requests",), 3, 196626),
        ("writes", ("requests",), 1, 16),
    ]
    assert [loop.pipelined for loop in top.loops] == [False, True, True]
    assert top.loops[1].latency == 196626


def test_the_xml_of_all_modules_begins_with_the_top() -> None:
    found = parse_csynth_xml(hls_texts.SUMMARY_XML)
    assert [module.name for module in found.modules] == ["top", "top_Pipeline_VITIS_LOOP_57_1"]
    (module, loop) = found.loops[1]
    assert (module.interval, module.area.lut, loop.ii, loop.depth, loop.latency) == (202, 8615, 4, 28, 200)
    assert (found.modules[0].loops[0].name, found.modules[0].loops[0].trip_count) == ("Loop 1", None)


@pytest.mark.parametrize("cut", [0, 40, len(hls_texts.SUMMARY_XML) // 2])
def test_an_xml_that_is_cut_short_is_told(cut: int) -> None:
    with pytest.raises(StbuildError, match="no whole XML file"):
        parse_csynth_xml(hls_texts.SUMMARY_XML[:cut])


def test_another_xml_is_told() -> None:
    with pytest.raises(StbuildError, match=r"this is no csynth\.xml"):
        parse_csynth_xml("<project><platform/></project>")


def test_the_summary_in_text_has_issues_and_what_lies_within_what() -> None:
    found = parse_csynth_text(hls_texts.SUMMARY_RPT)
    assert (found.top, found.version, found.part) == ("top", "2023.1", "xcu55c-fsvh2892-2L-e")
    assert [module.name for module in found.modules] == ["top", "top_Pipeline_VITIS_LOOP_57_1"]
    assert (found.modules[0].area.dsp, found.modules[0].area.uram, found.modules[1].worst_latency) == (
        9,
        None,
        65,
    )
    loops = {loop.name: loop for _, loop in found.loops}
    assert (loops["VITIS_LOOP_57_1"].issue, loops["VITIS_LOOP_57_1"].ii) == ("II", 4)
    assert (loops["rows"].ii, loops["rows"].pipelined, loops["columns"].path) == (None, False, ("rows",))


def test_the_report_of_one_module_in_text_has_the_target() -> None:
    found = parse_csynth_text(hls_texts.MODULE_RPT)
    (top,) = found.modules
    assert (found.target_ns, found.estimated_ns, found.uncertainty_ns) == (4.0, 3.044, 1.08)
    assert (top.best_latency, top.worst_latency, top.interval) == (83, 331, 331)
    assert (top.area.lut, top.area.bram18, found.available.lut) == (217722, 66, 1303680)
    fold = top.loops[1]
    assert (fold.name, fold.path, fold.ii, fold.target_ii, fold.iteration_latency) == (
        "FOLD",
        ("LAYERS",),
        4,
        1,
        499,
    )


def test_another_text_is_told() -> None:
    with pytest.raises(StbuildError, match=r"this is no csynth\.rpt"):
        parse_csynth_text("hello")


def test_slack_and_clocks_of_a_timing_summary() -> None:
    met, unmet = parse_timing(texts.MET), parse_timing(texts.UNMET)
    assert (met.wns, met.whs, met.failing, met.met) == (0.003, 0.010, 0, True)
    assert (unmet.wns, unmet.tns, unmet.failing, unmet.met) == (-0.721, -1203.5, 10576, False)
    assert unmet.verdict == "Timing constraints are not met."
    assert [(clock.name, clock.mhz) for clock in met.clocks] == [
        ("clk_kernel_00_unbuffered_net", 250.0),
        ("hbm_aclk", 450.045),
    ]


def test_a_design_without_constraints_meets_none() -> None:
    found = parse_timing(texts.UNCONSTRAINED)
    assert (found.wns, found.whs, found.failing, found.verdict) == (None, None, 0, "")


def test_a_report_without_a_summary_is_told() -> None:
    with pytest.raises(StbuildError, match="no table `Design Timing Summary`"):
        parse_timing("| Design Timing Summary\n1. Design Timing Summary\n")


def test_a_timing_table_without_figures_is_refused() -> None:
    table = "| Design Timing Summary\n    WNS(ns)      TNS(ns)\nPlace Check\n"
    with pytest.raises(StbuildError, match="has no row of figures"):
        parse_timing(table)


def test_utilisation_by_slr_and_the_wires_between() -> None:
    found = parse_utilisation(texts.SLR_UTIL.format(bram=" 7.44"))
    assert [place.name for place in found.slrs] == ["SLR0", "SLR1", "SLR2"]
    luts = [use.used for place in found.slrs if (use := place.use("lut"))]
    assert luts == [64352, 58106, 25789]
    assert (dsp := found.slrs[2].use("dsp")) and (dsp.used, dsp.percent) == (4, 0.01)
    assert not any(use.over for place in found.places for use in place.uses)
    assert [(each.between, each.used, each.available) for each in found.crossings] == [
        ("SLR2 <-> SLR1", 5099, 23040),
        ("SLR1 <-> SLR0", 24100, 23040),
    ]


def test_utilisation_by_kernel() -> None:
    found = parse_utilisation(texts.KERNEL_UTIL)
    assert [place.name for place in found.kernels] == ["Platform", "User Budget", "k", "k_1"]
    assert (use := found.kernels[3].use("dsp")) and (use.used, use.percent) == (708, 7.85)


def test_over_use_of_a_device_is_seen() -> None:
    (device,) = parse_utilisation(texts.DEVICE_UTIL).device
    assert [use.kind for use in device.uses if use.over] == ["bram36"]
    assert (use := device.use("lut")) and use.available == 162720


def test_a_report_of_something_else_is_told() -> None:
    with pytest.raises(StbuildError, match="no report of utilisation"):
        parse_utilisation("+---+\n| a |\n+---+\n| 1 |\n+---+\n")


def test_the_record_of_a_step() -> None:
    found = parse_step_record(texts.LINK_SUMMARY)
    assert (found.target, found.platform, found.kernels) == ("hw", "xilinx_u55c.xpfm", ("k",))
    assert found.tool.startswith("Vitis V++ Compiler Release 2022.2")
    assert (found.states, found.failed) == ((("v++", "CS_RUNNING"), ("vpl", "CS_FAILED")), ("vpl",))
    assert found.reports[0].kind == "GLOBAL_UTILIZATION_ROUTE"
    with pytest.raises(StbuildError, match="it has no <ENTRY>"):
        parse_step_record("{}")


@pytest.mark.parametrize(
    ("text", "clock"),
    [
        (texts.AUTOMATION, KernelClock(mhz=285.7, wanted=300)),
        (texts.XCLBIN_INFO.format(system=texts.SYSTEM_CLOCKS), KernelClock(mhz=135.3, wanted=150)),
        (texts.XCLBIN_INFO.format(system=""), KernelClock(mhz=135)),
        (texts.SELECTED, KernelClock(mhz=272)),
        (f"{texts.SCALED}\n{texts.SELECTED}", KernelClock(mhz=307.5, wanted=320)),
        ("INFO: [v++ 60-1230] ... hbm_aclk = 450, KERNEL = 500, DATA = 135", KernelClock(mhz=135)),
        (texts.SCALED.replace("kernel clock 'clk", "system clock 'clk"), None),
        ("nothing", None),
    ],
)
def test_the_clock_of_the_kernels(text: str, clock: KernelClock | None) -> None:
    assert kernel_clock(text) == clock
