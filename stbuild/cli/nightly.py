"""`stbuild nightly`: build and measure a matrix, and say by the exit code how that went."""

import argparse
import gc
import json
import sys
import time
from pathlib import Path

from stbuild.cli.request import open_workspace
from stbuild.console import seconds
from stbuild.nightly.night import Ended, run_night
from stbuild.nightly.plan_file import FILE, read_plan
from stbuild.nightly.reports import JSON, night_as_data
from stbuild.report.page import write_page

CODES = """exit codes; the first that holds of a night with several:
  3    wrong result: tokens, logits or accuracy, or an accuracy worse than before
  1    a build failed
  5    broken device: it hung, was lost or too hot, and again after a reset
  4    slowdown: a figure changed for the worse, or passed a limit of nightly.yaml
  6    incomplete: a place of the matrix was not measured
  0    all is well
  2    wrong usage, a nightly.yaml or a history that cannot be read
  130  interrupted; the same command goes on where it was

One line is enough for cron: 0 2 * * * cd /path/to/workspace && ./stbuildw nightly
docs/nightly.md has it for systemd and GitHub.
"""


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.epilog = CODES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("file", nargs="?", help=f"the plan (default: {FILE} of the workspace)")
    parser.add_argument("--new", action="store_true", help="begin anew where a night was killed")
    parser.add_argument("--json", action="store_true", help="print the night as JSON")
    parser.add_argument("--verbose", "-v", action="store_true", help="tell more")


def execute(options: argparse.Namespace) -> int:
    """Run the night; progress goes to stderr."""
    workspace = open_workspace()
    path = Path(options.file) if options.file else workspace.root / FILE
    plan = read_plan(path, workspace)
    began = time.monotonic()
    gc.enable()  # A night makes many graphs, which a single build never gives back.
    ended = run_night(plan, workspace, tell=_tell, new=options.new)
    page = write_page(workspace.root / plan.results, workspace.root)
    if options.json:
        print(
            json.dumps(night_as_data(ended.night, ended.results, ended.alarms), indent=1, ensure_ascii=False)
        )
    else:
        print(_status(ended, time.monotonic() - began))
        print(f"  report: {ended.folder / JSON}")
        print(f"  page: {page}")
    return ended.exit_code


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _status(ended: Ended, spent_s: float) -> str:
    counts: dict[str, int] = {}
    for result in ended.results:
        counts[result.outcome.value] = counts.get(result.outcome.value, 0) + 1
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    return f"night {ended.night.id}: {ended.outcome.value}; {told} in {seconds(spent_s)}"
