"""Reads what HLS reported of every kernel, and names the loops that miss their initiation interval."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stbuild.errors import StbuildError
from stbuild.step import F, Step, arg, main, out

if TYPE_CHECKING:
    from stbuild.toolchain.vitis.judge_kernels import KernelReport

_SUFFIX = ".csynth.xml"


class JudgeKernels(Step[F]):
    """Judge what HLS reports of kernels."""

    objects: F = arg("folder with objects and reports")
    kernels: F = arg("folder with the kernels' C++")
    strict: bool = arg("fail if a loop misses its II", default=False)
    report: F = out("the reports as data")
    text: F = out("the reports in words")
    summary: F = out("closing line")

    def run(self: "JudgeKernels[Path]") -> None:
        found = [_kernel(path, self.kernels) for path in sorted(self.objects.glob(f"*{_SUFFIX}"))]
        missed = [each.sentence for kernel in found for each in kernel.missed]
        self.report.write_text(json.dumps([_data(each) for each in found], indent=1) + "\n")
        text = "\n".join(line for kernel in found for line in _lines(kernel)) + "\n"
        self.text.write_text(text)
        check = f"{len(missed)} loops miss their II: {missed[0]}" if missed else "every loop reaches its II"
        self.summary.write_text(json.dumps({"check": f"{len(found)} kernels, {check}"}, indent=1) + "\n")
        sys.stdout.write(text)
        if missed and self.strict:
            raise StbuildError(missed[0], hint="strict_ii is set in [tool.stbuild.vitis]", exit_code=1)


def _kernel(xml: Path, kernels: Path) -> "KernelReport":
    from stbuild.toolchain.vitis.judge_kernels import judge_kernel

    name = xml.name.removesuffix(_SUFFIX)
    log = xml.with_name(f"{name}.log").read_text(errors="replace")
    return judge_kernel(name, xml, xml.with_name(f"{name}.csynth.rpt"), log, kernels / f"{name}.cpp")


def _data(kernel: "KernelReport") -> dict[str, Any]:
    """The report as JSON, with a sentence for each missed loop."""
    data: dict[str, Any] = asdict(kernel)
    for each, missed in zip(data["missed"], kernel.missed, strict=True):
        each["sentence"] = missed.sentence
    return data


def _lines(kernel: "KernelReport") -> list[str]:
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
    main(JudgeKernels)
