"""Reports in the formats of Vitis 2022.2, as public logs of real runs have them; the figures are made up.

`trouble` makes one of them bad: `ii`, `slack`, `scaled` or `over`.
"""

import json
from pathlib import Path
from typing import Any

VERSION_LINES = """
****** v++ v{version} (64-bit) mock of the tests of stbuild
  **** SW Build 3671529 on 2022-10-13-17:52:11
    ** Copyright 1986-2022 Xilinx, Inc. All Rights Reserved.
"""
_COUNTS = ("BRAM_18K", "DSP", "FF", "LUT", "URAM")


def csynth_xml(kernel: dict[str, Any], part: str, clock_hz: int, trouble: str) -> str:
    """csynth.xml: the top module, and one loop for each label of the source."""
    target = 1e9 / clock_hz
    loops = "\n".join(
        _loop_xml(label, _ii(number, trouble)) for number, (label, _) in enumerate(kernel["labels"])
    )
    area = "\n".join(
        f"<{name}>{count}</{name}>" for name, count in zip(_COUNTS, (30, 9, 7077, 5669, 0), strict=True)
    )
    return f"""<profile>
    <ReportVersion><Version>2022.2</Version></ReportVersion>
    <UserAssignments>
        <unit>ns</unit><ProductFamily>virtexuplusHBM</ProductFamily><Part>{part}</Part>
        <TopModelName>{kernel["name"]}</TopModelName>
        <TargetClockPeriod>{target:.2f}</TargetClockPeriod><ClockUncertainty>{0.27 * target:.2f}</ClockUncertainty>
        <FlowTarget>vitis</FlowTarget>
    </UserAssignments>
    <PerformanceEstimates>
        <PipelineType>no</PipelineType>
        <SummaryOfTimingAnalysis><unit>ns</unit><EstimatedClockPeriod>2.433</EstimatedClockPeriod></SummaryOfTimingAnalysis>
        <SummaryOfOverallLatency><unit>clock cycles</unit><Best-caseLatency>undef</Best-caseLatency>
            <Worst-caseLatency>undef</Worst-caseLatency></SummaryOfOverallLatency>
    </PerformanceEstimates>
    <AreaEstimates><Resources>{area}</Resources></AreaEstimates>
    <ModuleInformation>
        <Module>
            <Name>{kernel["name"]}</Name>
            <PerformanceEstimates><SummaryOfLoopLatency>
{loops}
            </SummaryOfLoopLatency></PerformanceEstimates>
            <AreaEstimates><Resources>{area}</Resources></AreaEstimates>
        </Module>
    </ModuleInformation>
</profile>
"""


def csynth_rpt(kernel: dict[str, Any], trouble: str) -> str:
    """csynth.rpt: the summary of modules and loops."""
    head = "|  Modules  | Issue|      | Latency | Latency|Iteration|        |Trip |         |      |   |    |    |    |"
    second = "|  & Loops  | Type |Slack |(cycles) |  (ns)  | Latency |Interval|Count|Pipelined|  BRAM|DSP| FF | LUT|URAM|"
    rule = "+-----------+------+------+---------+--------+---------+--------+-----+---------+------+---+----+----+----+"
    rows = [
        f"|+ {kernel['name']}|     -|  0.10|        -|       -|        -|       -|    -|       no|30 (~0%)|  9 (~0%)|7077 (~0%)|5669 (~0%)|    -|"
    ]
    for number, (label, _) in enumerate(kernel["labels"]):
        ii = _ii(number, trouble)
        rows.append(
            f"| o {label}|    {'II' if ii > 1 else ' -'}|  2.43|      130|   520.0|        3|       {ii}|  128|      yes|     -|  -|   -|   -|   -|"
        )
    title = f"== Synthesis Summary Report of '{kernel['name']}'"
    line = "=" * 64
    return "\n".join(
        [line, title, line, "+ General Information: ", "    * Version:        2022.2 (mock)", "",
         "+ Performance & Resource Estimates: ", "", rule, head, second, rule, *rows, rule, ""]
    )  # fmt: skip


def hls_log(kernel: dict[str, Any], source: str, trouble: str) -> str:
    """What HLS prints on loops."""
    lines = []
    for number, (label, line) in enumerate(kernel["labels"]):
        ii = _ii(number, trouble)
        if ii > 1:
            lines.append(
                f"WARNING: [HLS 200-880] The II Violation in module '{kernel['name']}' (loop '{label}'): Unable to "
                f"enforce a carried dependence constraint (II = 1, distance = 1, offset = 1) between 'store' "
                f"operation ('write_ln{line}', {source}:{line}) and 'load' operation ('load', {source}:{line})."
            )
        lines.append(f"INFO: [v++ 204-61] Pipelining loop '{label}'.")
        lines.append(
            f"INFO: [v++ 200-1470] Pipelining result : Target II = 1, Final II = {ii}, Depth = 3, loop '{label}'"
        )
    return "\n".join([*lines, "INFO: [v++ 200-789] **** Estimated Fmax: 411.00 MHz", ""])


def link_reports(
    folder: Path, name: str, units: dict[str, str], slrs: int, asked: float, trouble: str
) -> float:
    """Everything that a link leaves in its folders; the clock that it achieved."""
    slack = -0.721 if trouble in ("slack", "scaled") else 0.003
    achieved = round(1000 / (1000 / asked - slack), 1) if slack < 0 else asked
    link = folder / "reports/link"
    (link / "imp").mkdir(parents=True)
    (link / "imp/impl_1_hw_bb_locked_timing_summary_routed.rpt").write_text(_timing(asked, slack))
    (link / "imp/impl_1_kernel_util_routed.rpt").write_text(_kernel_util(units))
    if slrs > 1:
        (link / "imp/impl_1_slr_util_routed.rpt").write_text(_slr_util(slrs, over=trouble == "over"))
    (link / "automation_summary.txt").write_text(_automation(units, asked, achieved))
    (folder / f"{name}.link_summary").write_text(_link_summary(name))
    return achieved


def _ii(number: int, trouble: str) -> int:
    return 4 if trouble == "ii" and number == 0 else 1


def _loop_xml(label: str, ii: int) -> str:
    return f"""<{label}>
<Name>{label}</Name><Slack>2.43</Slack><TripCount>128</TripCount><Latency>130</Latency>
<PipelineII>{ii}</PipelineII><PipelineDepth>3</PipelineDepth><PipelineType>yes</PipelineType><InstanceList/>
</{label}>"""


def _timing(asked: float, slack: float) -> str:
    rule = "-" * 96
    failing = 10576 if slack < 0 else 0
    verdict = (
        "All user specified timing constraints are met." if slack >= 0 else "Timing constraints are not met."
    )
    return f"""Copyright 1986-2022 Xilinx, Inc. All Rights Reserved.
{rule}
| Tool Version : Vivado v.2022.2 (lin64) mock of the tests of stbuild
| Command      : report_timing_summary -max_paths 10
{rule}

Timing Summary Report

{rule}
| Design Timing Summary
| ---------------------
{rule}

    WNS(ns)      TNS(ns)  TNS Failing Endpoints  TNS Total Endpoints      WHS(ns)      THS(ns)  THS Failing Endpoints  THS Total Endpoints     WPWS(ns)     TPWS(ns)  TPWS Failing Endpoints  TPWS Total Endpoints
    -------      -------  ---------------------  -------------------      -------      -------  ---------------------  -------------------     --------     --------  ----------------------  --------------------
      {slack:.3f}      {min(0.0, slack * 900):.3f}                  {failing}               842374        0.010        0.000                      0               842374        0.000        0.000                       0                301024


{verdict}


{rule}
| Clock Summary
| -------------
{rule}

Clock                  Waveform(ns)         Period(ns)      Frequency(MHz)
-----                  ------------         ----------      --------------
clk_kernel_00          {{0.000 {500 / asked:.3f}}}        {1000 / asked:.3f}           {asked:.3f}
"""


def _slr_util(slrs: int, *, over: bool) -> str:
    names = [f"SLR{i}" for i in range(slrs)]
    head = "| Site Type | " + " | ".join([*names, *(f"{name} %" for name in names)]) + " |"
    rule = "+" + "+".join("-" * len(cell) for cell in head[1:-1].split("|")) + "+"
    full = "101.33" if over else "14.64"
    rows = (("CLB LUTs", 64352, full), ("CLB Registers", 104542, "11.89"), ("Block RAM Tile", 159, "23.66"),
            ("URAM", 0, "0.00"), ("DSPs", 76, "2.64"))  # fmt: skip
    lines = [
        "| " + " | ".join([site, *[str(count)] * slrs, *[share] * slrs]) + " |" for site, count, share in rows
    ]
    title = "3. SLR CLB Logic and Dedicated Block Utilization"
    return "\n".join(
        [
            "| Command      : report_utilization -slr (mock)",
            "",
            title,
            "-" * len(title),
            "",
            rule,
            head,
            rule,
            *lines,
            rule,
            "",
        ]
    )


def _kernel_util(units: dict[str, str]) -> str:
    head = "| Name | LUT | LUTAsMem | REG | BRAM | URAM | DSP |"
    cells = "5931 [  0.51%] | 1477 [  0.25%] | 7798 [  0.32%] | 51 [  2.81%] | 0 [  0.00%] | 64 [  0.71%]"
    rows = [
        f"| Platform | {cells} |",
        f"| User Budget | {cells} |",
        *(f"|    {unit} | {cells} |" for unit in units),
    ]
    rule = "+" + "+".join("-" * 10 for _ in range(7)) + "+"
    return "\n".join(
        ["| Command      : report_accelerator_utilization (mock)", "", rule, head, rule, *rows, rule, ""]
    )


def _automation(units: dict[str, str], asked: float, achieved: float) -> str:
    parts = [
        f"Compute Unit: {unit}\nClock ID: 0\nPlatform Clock Frequency: 300.000000 MHz\n"
        f"Requested Kernel Clock Frequency: {asked:.6f} MHz\nAchieved Kernel Clock Frequency: {achieved:.6f} MHz\n"
        for unit in units
    ]
    return "\n".join(["Version:    xcd v2022.2 (64-bit) mock", "3. Clock Connections", "====", "", *parts])


def _link_summary(name: str) -> str:
    entries: list[dict[str, Any]] = [
        {"thisFile": f"{name}.link_summary", "connectId": "", "serverToken": "", "timestamp": "0"},
        {"type": "ET_CmdStep", "buildStep": {"cmdId": "1", "name": "v++", "logFile": "link.steps.log", "args": []}},
        {"type": "ET_Status", "status": {"cmdId": "1", "state": "CS_RUNNING"}},
        {"type": "ET_FlowMetaData", "buildSummary": {
            "target": "TT_HW", "hardwarePlatform": "mock.xpfm", "kernels": [],
            "toolVersion": "Vitis V++ Compiler Release 2022.2. SW Build 3671529, mock of the tests of stbuild"}},
        {"type": "ET_Report", "report": {"path": "reports/link/imp/impl_1_kernel_util_routed.rpt", "name": "",
                                         "fileType": "TEXT", "reportType": "GLOBAL_KERNEL_UTIL_ROUTE"}},
        {"type": "ET_Status", "status": {"cmdId": "1", "state": "CS_PASSED"}},
    ]  # fmt: skip
    return "".join(f"<ENTRY>\n{json.dumps(entry, indent=1)}\n</ENTRY>\n" for entry in entries)
