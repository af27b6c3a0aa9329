"""Compares a device's results with the reference, and reports what was compared."""

from collections.abc import Iterator, Sequence

from stbuild.chain.record import Record
from stbuild.errors import StbuildError
from stbuild.ir.weights import WeightIndex
from stbuild.package.link_report import LinkReport


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


def check_line(seen: Sequence[Record], index: WeightIndex) -> str:
    """What is equal, in one line."""
    tokens = sum(len(r.tokens) for r in seen)
    states = sum(len(d) for r in seen for runs in r.hidden.values() for d in runs)
    hidden = f"{states} hidden states, " if states else ""
    weights = "synthetic weights" if index.synthetic else "real weights"
    return (
        f"bit-exact with the PyTorch reference: {len(seen)} prompts, {tokens} new tokens, "
        f"{hidden}logits; {weights}"
    )


def report_lines(seen: Sequence[Record], check: str, link: LinkReport | None) -> Iterator[str]:
    """The report of a deployment."""
    yield f"check  {check}"
    if link is None:
        yield "Nothing here has met Vitis or a card."
    else:
        yield f"The image was linked by {link.tool}; it ran on: {seen[0].device}."
        yield from (each.place_line for each in link.places)
        yield from link.missed
    for number, record in enumerate(seen):
        yield f"prompt {number}: {len(record.prompt)} tokens in, {len(record.tokens)} out: {_answer(record)}"


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


def _answer(record: Record) -> str:
    return repr(record.text) if record.text else " ".join(str(t) for t in record.tokens)
