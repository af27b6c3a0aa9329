"""Compares what a device said with the reference and writes the report of the deployment."""

import json
from pathlib import Path

from stbuild.step import F, Step, arg, main, out


class Deploy(Step[F]):
    """Check a deployment: fail at the first bit that differs."""

    index: F = arg("the index of the weights")
    records: F = arg("records of the device")
    expected: F = arg("records of the reference")
    verdict: F = arg("that the float check has passed")
    link_report: F | None = arg("what the linker achieved", default=None)
    bundle: str = arg("the bundle's label")
    report: F = out("what was compared, and the answers")
    summary: F = out("closing lines")

    def run(self: "Deploy[Path]") -> None:
        from stbuild.chain.comparison import check_line, compare, report_lines
        from stbuild.chain.record import Record, record_paths
        from stbuild.ir import serde
        from stbuild.ir.weights import WeightIndex
        from stbuild.package import schema
        from stbuild.package.link_report import LinkReport

        seen = [serde.read(Record, path) for path in record_paths(self.records)]
        expected = [serde.read(Record, path) for path in record_paths(self.expected)]
        for number, (device, reference) in enumerate(zip(seen, expected, strict=True)):
            compare(number, device, reference)
        link = schema.read(LinkReport, self.link_report) if self.link_report else None
        linked = f"; {link.line}" if link else ""
        check = check_line(seen, serde.read(WeightIndex, self.index)) + linked
        summary = {"bundle": self.bundle, "check": check}
        self.summary.write_text(json.dumps(summary, indent=1) + "\n")
        self.report.write_text("\n".join(report_lines(seen, check, link)) + "\n")


if __name__ == "__main__":
    main(Deploy)
