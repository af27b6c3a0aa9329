"""Links kernels with v++, and hands out the xclbin, or the XSA on Versal, and the reports."""

import os
from pathlib import Path

from stbuild.step import F, Step, arg, main, out, out_tree
from stbuild.toolchain.vitis import vpp
from stbuild.toolchain.vitis.run import FOLDERS, WORK, one, run

_KEPT = (
    *("**/*.link_summary", "**/*.xclbin.info", "**/automation_summary.txt", "**/system_estimate*.xtxt"),
    *("**/*timing_summary*.rpt", "**/*util*routed*.rpt", "**/*util*placed*.rpt", "**/*util_synth*.rpt"),
)
_KEPT_BYTES = 1 << 20
"""A timing summary has 17 MB, of which the first 20 KB tell the slack."""


class VppLink(Step[F]):
    """Link all kernels."""

    objects: F = arg("folder with the kernels' objects")
    config: F = arg("the linker's configuration")
    target: str = arg("hw or hw_emu")
    platform: str = arg("the name of Vitis's platform")
    threads: int = arg("threads of Vivado, which change its result")
    jobs: int = arg("runs of Vivado at once")
    linked: F = out("the xclbin, or the XSA on Versal")
    reports: F = out_tree("the reports that are kept")

    def run(self: "VppLink[Path]") -> None:
        WORK.mkdir(parents=True)
        objects = sorted(map(str, self.objects.glob("*.xo")))
        made = WORK / f"linked{self.linked.suffix}"
        argv = vpp.link_argv(
            self.target, self.platform, str(self.config), self.threads, FOLDERS, str(made), objects
        )
        log = run((*argv, "--jobs", str(min(self.jobs, os.cpu_count() or 1))))
        self.reports.mkdir()
        (self.reports / "link.log").write_bytes(log)
        for path in sorted({path for pattern in _KEPT for path in WORK.glob(pattern)}):
            (self.reports / path.name).write_bytes(path.read_bytes()[:_KEPT_BYTES])
        one(made.name).replace(self.linked)


if __name__ == "__main__":
    main(VppLink)
