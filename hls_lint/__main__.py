"""`python -m hls_lint FILE.cpp ...`: a line for each finding in the kernels, exit code 1 if there is any."""

import argparse
import sys
from collections import defaultdict
from pathlib import Path

from hls_lint.rules import Finding, findings
from hls_lint.tree import kernel_of
from hls_lint.walk import processes_of
from stbuild.errors import StbuildError

INCLUDE = Path(__file__).resolve().parents[1] / "hls_lib/include"


def lint(paths: list[Path], include: Path = INCLUDE) -> dict[Finding, set[str]]:
    """Each finding with the `kernel.process`es that have it."""
    found: dict[Finding, set[str]] = defaultdict(set)
    for path in paths:
        for process in processes_of(kernel_of(path, include)):
            for finding in findings(process):
                found[finding].add(f"{path.stem}.{process.name}")
    return found


def main() -> int:
    """Print what was found."""
    parser = argparse.ArgumentParser(prog="python -m hls_lint", description=__doc__)
    parser.add_argument("kernels", nargs="+", type=Path, help="generated C++ files, each with one kernel")
    options = parser.parse_args()
    try:
        found = lint(options.kernels)
    except StbuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for finding in sorted(found):
        users = sorted(found[finding])
        more = f" and {len(users) - 1} more" if len(users) > 1 else ""
        print(f"{finding.at}: {finding.rule}: {finding.text} [{users[0]}{more}]")
    print(f"findings: {len(found)}, kernels: {len(options.kernels)}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
