"""What our build tool must reach on the layered graph of 10,000 actions."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

COUNT = 10_000
NOOP_S = 0.12
CHANGED_S = 0.6
COLD_TO_NINJA = 1.1
COLD_TO_OLD = 1.15
"""With the sandbox, beside an earlier commit."""
HITS_S = 3.0
MEMORY_MIB = 150


def misses(count: int, found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """A sentence for each target that was missed, and one when none was; nothing for smaller graphs."""
    ours, ninja = found.get("stbuild-off"), found.get("ninja")
    if count < COUNT or ours is None or ninja is None:
        return
    rows = (
        ("no-op", ours["noop"][0], NOOP_S, "s"),
        ("one file changed", ours["changed"][0], CHANGED_S, "s"),
        ("cold", ours["cold"][0] / ninja["cold"][0], COLD_TO_NINJA, "times ninja"),
        ("hits after clean", (ours["hits"] or (math.inf,))[0], HITS_S, "s"),
        ("memory", ours["memory_mib"], MEMORY_MIB, "MiB"),
    )
    missed = [row for row in rows if row[1] > row[2]]
    for name, value, bound, unit in missed:
        yield f"missed: {name} {value:.2f} {unit}, target {bound} {unit}"
    if not missed:
        yield "every target is reached"
