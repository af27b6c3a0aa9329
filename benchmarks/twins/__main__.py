"""The twins of rtl_lib/twins: same bits as hls_lib, cycles of the timed network, area, levels.

python -m benchmarks.twins [CASE ...] compares and prints. --count: Yosys counts each twin again, and what it
finds must be what rtl_lib/twins/measured.json keeps; --write keeps it.
"""

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.twins.cases import CASES
from benchmarks.twins.comparison import Case, Comparison, Pace, compare
from benchmarks.twins.costs import MEASURED, modelled, synthesize
from benchmarks.twins.timed import TimedImage
from benchmarks.twins.verilated import MISSING, compile_runtime, verilator


def main() -> None:
    """Compare, and with --write count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="all without any")
    parser.add_argument("--launches", type=int, default=10, help="for each case and pace (default: 10)")
    parser.add_argument("--count", action="store_true", help="count with Yosys, compare with measured.json")
    parser.add_argument("--write", action="store_true", help="count with Yosys, write measured.json")
    args = parser.parse_args()
    if verilator() is None:
        raise SystemExit(MISSING)
    cases = [case for case in CASES if not args.cases or case.name in args.cases]
    if args.write:
        write_counts(cases)
    for line in table([point for point in kept_points() if point["case"] in {case.name for case in cases}]):
        print(line)
    failed = [case.name for case in cases if not report(case, args.launches)]
    if failed:
        raise SystemExit(f"differ from hls_lib: {', '.join(failed)}")
    changed = [case.name for case in cases if args.count and counted(case) not in kept_points()]
    if changed:
        raise SystemExit(f"Yosys counts otherwise than measured.json says: {', '.join(changed)}")


def report(case: Case, launches: int) -> bool:
    """Compares one case at all paces and prints a row for each; whether all words are equal."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        runtime = compile_runtime(folder)
        (folder / "timed").mkdir()
        image = TimedImage([case.process], folder / "timed", case.prelude)
        program = case.compile(folder / "twin", runtime)
        equal = True
        for pace in Pace:
            found = [compare(case, program, image, seed, pace) for seed in range(launches)]
            equal = equal and not any(c.different for c in found)
            print(row(case, pace, found), flush=True)
        return equal


def row(case: Case, pace: Pace, found: Sequence[Comparison]) -> str:
    """Words, differences and the range of cycle ratios."""
    words, different = sum(c.words for c in found), sum(c.different for c in found)
    ratios = [c.ratio for c in found]
    return (
        f"{case.name:20} {pace.value:40} {words:>9,} words, {different} differ; "
        f"timed network / twin {min(ratios):.4f} to {max(ratios):.4f} of {found[0].cycles:,} cycles"
    )


def write_counts(cases: Sequence[Case]) -> None:
    """Counts the cases with Yosys, beside what is kept of the others."""
    kept = (
        {point["case"]: point for point in json.loads(MEASURED.read_text())["twins"]}
        if MEASURED.exists()
        else {}
    )
    for case in cases:
        kept[case.name] = counted(case)
        print(json.dumps(kept[case.name]), file=sys.stdout, flush=True)
        rows = ",\n".join(f"  {json.dumps(kept[c.name])}" for c in CASES if c.name in kept)
        MEASURED.write_text(f'{{\n "twins": [\n{rows}\n ]\n}}\n')


def kept_points() -> list[dict[str, Any]]:
    """What measured.json keeps."""
    return list(json.loads(MEASURED.read_text())["twins"]) if MEASURED.exists() else []


def counted(case: Case) -> dict[str, Any]:
    """What Yosys makes of a case."""
    found = synthesize(case.module, case.parameters)
    return {
        "case": case.name, "module": case.module, "parameters": dict(case.parameters), **vars(found.counts),
        "levels": math.ceil(found.path.levels), "path": " ".join(found.path.cells),
    }  # fmt: skip


def table(points: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Counted and modelled, and their ratio."""
    for point in points:
        case = next(c for c in CASES if c.name == point["case"])
        model = modelled(case)
        cells = []
        for resource in ("lut", "ff", "dsp", "bram36", "uram"):
            said, count = getattr(model, resource), point[resource]
            ratio = f" x{said / count:.2f}" if count else ""
            cells.append(f"{resource} {count:,} ({said:,.0f}{ratio})")
        yield f"{case.name:20} {'; '.join(cells)}; {point['levels']} levels"


if __name__ == "__main__":
    main()
