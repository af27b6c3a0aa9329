"""Compares what a device said with the reference and writes the report of the deployment."""

import json
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

from stbuild.errors import StbuildError
from stbuild.ir import serde
from stbuild.ir.weights import WeightIndex
from stbuild.package import schema
from stbuild.package.link_report import LinkReport
from stbuild.stage.entry import run_stage, stage_parser
from stbuild.stage.record import Record, record_paths


def main(args: Namespace) -> None:
    """Fail at the first bit that differs; else write the report and the closing lines."""
    seen = [serde.read(Record, path) for path in record_paths(Path(args.run))]
    expected = [serde.read(Record, path) for path in record_paths(Path(args.expected))]
    for number, (device, reference) in enumerate(zip(seen, expected, strict=True)):
        compare(number, device, reference)
    index = serde.read(WeightIndex, Path(args.index))
    params = json.loads(Path(args.params).read_text())
    link = schema.read(LinkReport, Path(args.link_report)) if args.link_report else None
    check = _check(seen, index) + (f"; {link.line}" if link else "")
    summary = {"bundle": params["bundle"], "check": check}
    summary |= json.loads(Path(args.floats).read_text())
    Path(args.summary).write_text(json.dumps(summary, indent=1) + "\n")
    Path(args.report).write_text("\n".join(_report(seen, summary, link)) + "\n")


def compare(number: int, device: Record, reference: Record) -> None:
    """Raise StbuildError that names the first value in which two records differ.

    Hidden states are compared if the device shows them.
    """
    for value, runs in device.hidden.items():
        for run, digests in enumerate(runs):
            token = _first_difference(digests, reference.hidden[value][run])
            if token is not None:
                raise _differs(number, f"the hidden state after run {run} ({value}) of token {token}")
    token = _first_difference(device.logits, reference.logits)
    if token is not None:
        raise _differs(number, f"the logits of new token {token}")
    token = _first_difference(device.tokens, reference.tokens)
    if token is not None:
        raise _differs(number, f"new token {token}")


def _first_difference(a: Sequence[object], b: Sequence[object]) -> int | None:
    if len(a) != len(b):
        return min(len(a), len(b))
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y), None)


def _differs(number: int, what: str) -> StbuildError:
    return StbuildError(
        f"the device differs from the reference in prompt {number}: {what}",
        hint="a bug of stbuild; hls_lib and stbuild/reference must agree to the bit",
        exit_code=1,
    )


def _check(seen: Sequence[Record], index: WeightIndex) -> str:
    tokens = sum(len(r.tokens) for r in seen)
    states = sum(len(d) for r in seen for runs in r.hidden.values() for d in runs)
    hidden = f"{states} hidden states, " if states else ""
    weights = "synthetic weights" if index.synthetic else "real weights"
    return (
        f"bit-exact with the PyTorch reference: {len(seen)} prompts, {tokens} new tokens, "
        f"{hidden}logits; {weights}"
    )


def _report(seen: Sequence[Record], summary: dict[str, str], link: LinkReport | None) -> Iterator[str]:
    yield f"check  {summary['check']}"
    if link is None:
        yield "Nothing here has met Vitis or a card."
    else:
        yield f"The image was linked by {link.tool}; it ran on: {seen[0].device}."
        yield from (each.place_line for each in link.places)
        yield from link.missed
    for number, record in enumerate(seen):
        yield f"prompt {number}: {len(record.prompt)} tokens in, {len(record.tokens)} out: {_answer(record)}"


def _answer(record: Record) -> str:
    return repr(record.text) if record.text else " ".join(str(t) for t in record.tokens)


if __name__ == "__main__":
    parser = stage_parser(
        "Check a deployment.",
        index="the index of the weights",
        run="records of the device",
        expected="records of the reference",
        floats="closing line of the float check",
        params="the bundle's label",
        report="report to write",
        summary="closing lines to write",
    )
    parser.add_argument("--link-report", help="what the linker achieved")
    run_stage(parser, main)
