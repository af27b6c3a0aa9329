"""What does not hold together in a design."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stbuild.ir.design import Design


def design_faults(design: "Design") -> Iterator[str]:
    """What does not hold together: a name twice, or a reference to nothing."""
    for values in (design.kernels, design.processes, design.streams, design.regions):
        for name, count in Counter(value.name for value in values).items():
            if count > 1:
                yield f"{count} of the {type(values[0]).__name__} values are called {name!r}"
    written = [(s, p.name) for p in design.processes for s in p.writes]
    read = [(s, p.name) for p in design.processes for s in p.inputs]
    for way, found, wanted in (
        ("written", written, [(s.name, s.source) for s in design.streams]),
        ("read", read, [(s.name, s.sink) for s in design.streams]),
    ):
        wrong = sorted(set(found) ^ set(wanted))
        yield from (f"stream {s!r} is not {way} by {p!r}, or not there" for s, p in wrong)
    known = {"", *(k.name for k in design.kernels)}
    yield from (f"process {p.name!r} has no kernel" for p in design.processes if p.kernel not in known)
