"""Judges what a link reported, apart from the link: negative slack fails although v++ calls it a success."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from stbuild.step import F, Step, arg, main, out

if TYPE_CHECKING:
    from stbuild.package.link_report import LinkReport


class JudgeLink(Step[F]):
    """Judge what a link reported."""

    reports: F = arg("folder of reports")
    cfg: F = arg("the linker's configuration")
    kernels: F | None = arg("what HLS reported of the kernels", default=None)
    target: str = arg("the target that was linked for")
    slack_ns: float = arg("the least slack")
    timed: bool = arg("timing was analysed", default=False)
    report: F = out("the report as data")
    text: F = out("the report in words")
    summary: F = out("closing line")

    def run(self: "JudgeLink[Path]") -> None:
        from stbuild.package import schema
        from stbuild.toolchain.vitis.judge_link import Demands, judge_link

        demands = Demands(target=self.target, slack_ns=self.slack_ns, timed=self.timed)
        kernels = json.loads(self.kernels.read_text()) if self.kernels else []
        missed = tuple(each["sentence"] for kernel in kernels for each in kernel["missed"])
        found = judge_link(self.reports, self.cfg.read_text(), demands, missed)
        self.report.write_text(schema.to_json(found))
        text = "\n".join(_lines(found)) + "\n"
        self.text.write_text(text)
        self.summary.write_text(json.dumps({"check": found.line}, indent=1) + "\n")
        sys.stdout.write(text)


def _lines(found: "LinkReport") -> list[str]:
    places = [use.place_line for use in found.places]
    return [f"{found.tool}, target {found.target}", found.line, *places, *found.missed]


if __name__ == "__main__":
    main(JudgeLink)
