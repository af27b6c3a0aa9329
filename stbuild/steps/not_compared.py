"""Takes the place of the float check of a module that was exported by the process that had it."""

import json
from pathlib import Path

from stbuild.step import F, Step, main, out

LINE = "not compared: the module was exported, and only the process that made it could run it"


class NotCompared(Step[F]):
    """Say that a module was not compared."""

    report: F = out("the sentence")
    summary: F = out("closing line")

    def run(self: "NotCompared[Path]") -> None:
        self.report.write_text(f"{LINE}\n")
        self.summary.write_text(json.dumps({"floats": LINE}, indent=1) + "\n")


if __name__ == "__main__":
    main(NotCompared)
