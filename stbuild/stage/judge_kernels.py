"""Reads what HLS reported of every kernel, and names the loops that miss their initiation interval."""

import json
import sys
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stbuild.errors import StbuildError
from stbuild.stage.entry import run_stage, stage_parser
from stbuild.toolchain.vitis.judge_kernels import KernelReport, judge_kernel

_SUFFIX = ".csynth.xml"


def main(args: Namespace) -> None:
    """Write the reports as data and in words; with `--strict` a missed loop is an error."""
    objects, kernels = Path(args.objects), Path(args.kernels)
    found = [_kernel(path, kernels) for path in sorted(objects.glob(f"*{_SUFFIX}"))]
    missed = [each.sentence for kernel in found for each in kernel.missed]
    Path(args.report).write_text(json.dumps([_data(each) for each in found], indent=1) + "\n")
    text = "\n".join(line for kernel in found for line in _lines(kernel)) + "\n"
    Path(args.text).write_text(text)
    check = f"{len(missed)} loops miss their II: {missed[0]}" if missed else "every loop reaches its II"
    Path(args.summary).write_text(json.dumps({"check": f"{len(found)} kernels, {check}"}, indent=1) + "\n")
    sys.stdout.write(text)
    if missed and args.strict:
        raise StbuildError(missed[0], hint="strict_ii is set in [tool.stbuild.vitis]", exit_code=1)


def _kernel(xml: Path, kernels: Path) -> KernelReport:
    name = xml.name.removesuffix(_SUFFIX)
    log = xml.with_name(f"{name}.log").read_text(errors="replace")
    return judge_kernel(name, xml, xml.with_name(f"{name}.csynth.rpt"), log, kernels / f"{name}.cpp")


def _data(kernel: KernelReport) -> dict[str, Any]:
    """The report as JSON, with a sentence for each missed loop."""
    data: dict[str, Any] = asdict(kernel)
    for each, missed in zip(data["missed"], kernel.missed, strict=True):
        each["sentence"] = missed.sentence
    return data


def _lines(kernel: KernelReport) -> list[str]:
    top = kernel.synthesis.modules[0]
    fmax = kernel.synthesis.estimated_ns
    clock = f", estimated {1000 / fmax:.0f} MHz" if fmax else ""
    counts = ", ".join(
        f"{count} {name}"
        for name, count in (("LUT", top.area.lut), ("FF", top.area.ff), ("DSP", top.area.dsp),
                            ("BRAM18", top.area.bram18), ("URAM", top.area.uram))
        if count is not None
    )  # fmt: skip
    return [f"{kernel.name}: {counts}{clock}", *(f"  {each.sentence}" for each in kernel.missed)]


if __name__ == "__main__":
    parser = stage_parser(
        "Judge what HLS reports of kernels.",
        objects="folder with objects and reports",
        kernels="folder with the kernels' C++",
        report="reports as data to write",
        text="reports in words to write",
        summary="closing line to write",
    )
    parser.add_argument("--strict", action="store_true", help="fail if a loop misses its II")
    run_stage(parser, main)
