"""Where the values of a graph need zeros: heads and parts in whole words, inputs of matrices in groups.

For each value an array counts the zeros in front of each element, index 0 left out, its size being the end.
Each rule only ever adds zeros, and all are applied until none adds any: first those of the smallest parts, so
that a whole has no more zeros than its parts leave it to need.
"""

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from stbuild.errors import StbuildError
from stbuild.ir.gaps import Gap
from stbuild.ir.graph import Block, Graph
from stbuild.ir.op import Op, RowOp
from stbuild.ir.types import GROUP, LANES
from stbuild.ops.attention import Attention
from stbuild.ops.concat import Concat
from stbuild.ops.linear import Linear
from stbuild.ops.norm import Norm
from stbuild.ops.rotary import Rotary
from stbuild.ops.slice import Slice

Zeros = NDArray[np.int64]
Key = tuple[int, str]
"""The number of a block, and a value of it."""
ROUNDS = 64
"""More than any model needs: each moves zeros through all ops once."""
NONE = -1
"""No part is aligned yet."""
HALF, PAIRS = 4, 8
"""What the half of a rotated part, and a rotated part of neighbours, are multiples of."""


class Part(IntEnum):
    """What begins at whole words or groups, from the smallest on."""

    HALF = 0
    HEAD = 1
    VALUE = 2
    INPUT = 3


@dataclass(kw_only=True)
class Layouts:
    """The zeros of each value so far; `added` says that a rule has added some.

    Parts larger than `largest` are not aligned yet. `units` has the elements at which parts of a value begin
    or end, each with what it is a multiple of.
    """

    zeros: dict[Key, Zeros] = field(default_factory=dict)
    units: dict[Key, dict[int, int]] = field(default_factory=dict)
    added: bool = False
    largest: int = NONE

    def gaps(self, key: Key) -> tuple[Gap, ...]:
        """The zeros of a value."""
        found = self.zeros[key]
        return tuple(Gap(before=int(at), zeros=int(found[at])) for at in np.flatnonzero(found))

    def place(self, key: Key, element: int) -> int:
        """Where an element stands; that of the value's size is the padded width."""
        return element + int(self.zeros[key][: element + 1].sum())

    def raise_to(self, key: Key, zeros: Zeros) -> None:
        """At least so many zeros."""
        old = self.zeros[key]
        if bool((zeros > old).any()):
            self.zeros[key], self.added = np.maximum(old, zeros), True

    def equal(self, *keys: Key) -> None:
        """The same zeros in all these values."""
        most = np.max([self.zeros[key] for key in keys], axis=0)
        for key in keys:
            self.raise_to(key, most)

    def part(self, whole: Key, start: int, part: Key) -> None:
        """The same zeros in a value and in that part of another that begins with element `start`."""
        there, size = self.zeros[whole].copy(), self.zeros[part].size
        window = slice(start + 1, start + size)
        there[window] = np.maximum(there[window], self.zeros[part][1:])
        self.raise_to(whole, there)
        self.raise_to(part, np.concatenate([[0], there[window]]))

    def alike(self, size: int, *keys: Key) -> None:
        """The same zeros in every `size` elements of these values."""
        most = np.max([self.zeros[key][1:].reshape(-1, size).max(axis=0) for key in keys], axis=0)
        for key in keys:
            count = (self.zeros[key].size - 1) // size
            self.raise_to(key, np.concatenate([[0], np.tile(most, count)]))

    def align(self, part: Part, key: Key, element: int, unit: int) -> None:
        """`element`, where a part begins or ends, at a multiple of `unit`.

        It is counted from the part in front of it, so that zeros in front of that one change nothing here.
        """
        units = self.units.setdefault(key, {})
        units[element] = max(unit, units.get(element, 0))
        start = max((at for at, other in units.items() if at < element and other % unit == 0), default=0)
        missing = -(self.place(key, element) - self.place(key, start)) % unit
        if element and missing and part <= self.largest:
            self.zeros[key][element] += missing
            self.added = True


def layouts_of(graph: Graph) -> Layouts | None:
    """The zeros that the values of `graph` need; None if they need none."""
    found = Layouts()
    sizes = [_sizes(block) for block in graph.blocks]
    for number, block in enumerate(graph.blocks):
        if number:
            sizes[number].update(_handed_on(graph, number, sizes[number - 1]))
        found.zeros.update({(number, n): np.zeros(w + 1, dtype=np.int64) for n, w in sizes[number].items()})
        if len(found.zeros) and any(n not in sizes[number] for n in block.inputs):
            return None  # a graph that is no graph is refused where graphs are checked
    free = _logits(graph)
    _apply(found, graph, free)  # only notes where parts begin
    for part in Part:
        found.largest = part
        _apply_until_done(found, graph, free)
    return found if any(z.any() for z in found.zeros.values()) else None


def _apply_until_done(found: Layouts, graph: Graph, free: set[Key]) -> None:
    for _ in range(ROUNDS):
        found.added = False
        _apply(found, graph, free)
        if not found.added:
            return
    raise StbuildError(f"the sizes of the model {graph.name!r} cannot be padded to whole groups together",
                       hint="choose sizes that are multiples of 32")  # fmt: skip


def _sizes(block: Block) -> dict[str, int]:
    return {op.name: op.width for op in block.ops}


def _handed_on(graph: Graph, number: int, known: dict[str, int]) -> dict[str, int]:
    """The widths of a block's inputs."""
    given = zip(graph.blocks[number].inputs, graph.blocks[number - 1].outputs, strict=False)
    return {name: known[source] for name, source in given if source in known}


def _logits(graph: Graph) -> set[Key]:
    """The logits and what elementwise ops make them from: of any number, without zeros."""
    number, head = len(graph.blocks) - 1, graph.blocks[-1]
    wanted, found = list(head.outputs), set[Key]()
    made = {op.name: op for op in head.ops}
    while wanted:
        name = wanted.pop()
        found.add((number, name))
        op = made.get(name)
        if op is not None and op.any_width and not isinstance(op, Linear):
            wanted.extend(op.operands)
    return found


def _apply(found: Layouts, graph: Graph, free: set[Key]) -> None:
    """All rules once."""
    for number, block in enumerate(graph.blocks):
        for op in block.ops:
            if (number, op.name) not in free and not isinstance(op, Concat):  # its parts are whole
                found.align(Part.VALUE, (number, op.name), op.width, LANES)
            _apply_op(found, number, op)
        outputs = [(number, name) for name in block.outputs]
        if block.count > 1:
            _pairwise(found, outputs, [(number, name) for name in block.inputs])
        if number + 1 < len(graph.blocks):
            _pairwise(found, outputs, [(number + 1, name) for name in graph.blocks[number + 1].inputs])


def _pairwise(found: Layouts, keys: list[Key], others: list[Key]) -> None:
    for a, b in zip(keys, others, strict=True):
        found.equal(a, b)


def _apply_op(found: Layouts, number: int, op: Op) -> None:
    """The rules of one op."""
    y, reads = (number, op.name), [(number, name) for name in op.operands]
    match op:
        case Linear():
            found.align(Part.INPUT, reads[0], found.zeros[reads[0]].size - 1, GROUP)
        case RowOp():
            return
        case Attention():
            found.alike(op.head_dim, y, *reads)
            found.align(Part.HEAD, y, op.head_dim, LANES)
        case Slice():
            found.align(Part.HEAD, reads[0], op.start, LANES)
            found.part(reads[0], op.start, y)
        case Concat():
            at = 0
            for part in reads:
                found.part(y, at, part)
                at += found.zeros[part].size - 1
        case Norm():
            found.equal(y, *reads)
            found.alike(op.segment, y)
            found.align(Part.HEAD, y, op.segment, LANES)
        case Rotary():
            found.equal(y, *reads)
            found.alike(op.head_dim, y)
            _rotated(found, y, op)
            found.align(Part.HEAD, y, op.head_dim, LANES)
        case _:
            found.equal(y, *reads)


def _rotated(found: Layouts, y: Key, op: Rotary) -> None:
    """Both halves of a rotated part get the same zeros behind them; of neighbours the part as a whole."""
    if op.interleaved:
        return found.align(Part.HALF, y, op.rotary_dim, PAIRS)
    half = op.rotary_dim // 2
    found.align(Part.HALF, y, half, HALF)
    wanted = found.zeros[y].copy()
    wanted[op.rotary_dim] = max(wanted[op.rotary_dim], wanted[half])
    found.raise_to(y, wanted)
    return None
