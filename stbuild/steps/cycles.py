"""Runs the timed network of a design, and writes how many cycles a decode step and a prefill take."""

import json
from pathlib import Path

from stbuild.platform import Platform
from stbuild.step import F, Step, arg, main, out


class Cycles(Step[F]):
    """Simulate the cycles of a design."""

    bundle: F = arg("the bundle")
    image: F = arg("the timed kernel image")
    design: F = arg("the design")
    platform: Platform = arg("the card")
    cycles: F = out("the estimate")
    report: F = out("the estimate in words")
    summary: F = out("closing line")

    def run(self: "Cycles[Path]") -> None:
        from stbuild.chain.simulation import DECODE, PREFILL, simulate
        from stbuild.ir import serde
        from stbuild.ops.files import read_design
        from stbuild.package.bundle import load_bundle
        from stbuild.runtime.devices.native import NativeDevice
        from stbuild.timing.report import estimate_report, speed_line

        design = read_design(self.design)
        device = NativeDevice(load_bundle(self.bundle), self.image)
        estimate = simulate(device, design, self.platform)
        device.close()
        serde.write(self.cycles, estimate)
        self.report.write_text(estimate_report(estimate))
        speed = speed_line(estimate, estimate.step(DECODE), estimate.step(PREFILL))
        self.summary.write_text(json.dumps({"speed": speed}, indent=1) + "\n")


if __name__ == "__main__":
    main(Cycles)
