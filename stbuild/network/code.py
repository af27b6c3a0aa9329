"""A program as a flat list of instructions, over streams by their numbers: what the runner steps through."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from stbuild.network.program import Program, Read, Repeat, Write


@dataclass(frozen=True)
class Move:
    """A pipelined loop: `count` iterations, each of `steps` in their order.

    `taken` and `given` are the words of one iteration by stream. A step is (write, streams).
    """

    count: int
    steps: tuple[tuple[bool, tuple[int, ...]], ...]
    taken: tuple[tuple[int, int], ...]
    given: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Enter:
    """The head of an outer loop of `count` iterations; `block` if they are the runs of a block.

    The loop's counter lies at `slot` among those of the process.
    """

    count: int
    slot: int
    block: int | None


@dataclass(frozen=True)
class Leave:
    """The end of the loop whose body begins at `start`."""

    start: int
    slot: int
    count: int


@dataclass(frozen=True)
class Gate:
    """Wait here until everybody else stands still, as a new run of `block` begins."""

    block: int


Instruction = Move | Enter | Leave | Gate


def code_of(program: Program, numbers: Mapping[str, int], gate: int | None = None) -> list[Instruction]:
    """The instructions of `program`; steps on streams without a number never wait and are left out.

    `gate` is the block whose runs this process opens, if it opens any.
    """
    return _Compiler(numbers, gate).compile(program)


def counters_of(code: Sequence[Instruction]) -> int:
    """How many loop counters `code` needs."""
    return max((ins.slot + 1 for ins in code if isinstance(ins, Enter)), default=0)


class _Compiler:
    """Numbers streams and loop counters while one program is compiled."""

    def __init__(self, numbers: Mapping[str, int], gate: int | None) -> None:
        self._numbers = numbers
        self._gate = gate
        self._depth = 0
        self._code: list[Instruction] = []

    def compile(self, program: Program) -> list[Instruction]:
        self._nodes(program)
        return self._code

    def _nodes(self, program: Program) -> None:
        plain: list[Read | Write] = []
        for node in program:
            if isinstance(node, Repeat):
                self._move(tuple(plain), 1)
                plain.clear()
                self._repeat(node)
            else:
                plain.append(node)
        self._move(tuple(plain), 1)

    def _repeat(self, node: Repeat) -> None:
        if node.count == 0 or not _waits(node.body, self._numbers):
            return
        gated = node.runs_of is not None and node.runs_of == self._gate
        if not gated and not any(isinstance(n, Repeat) for n in node.body):
            self._move(tuple(n for n in node.body if not isinstance(n, Repeat)), node.count)
            return
        if node.count == 1 and node.runs_of is None:
            self._nodes(node.body)
            return
        self._loop(node, gated)

    def _loop(self, node: Repeat, gated: bool) -> None:
        slot = self._depth
        self._code.append(Enter(node.count, slot, node.runs_of))
        start = len(self._code)
        if gated and node.runs_of is not None:
            self._code.append(Gate(node.runs_of))
        self._depth += 1
        self._nodes(node.body)
        self._depth -= 1
        body = self._code[start:]
        if node.runs_of is None and len(body) == 1 and isinstance(body[0], Move):
            self._code[start - 1 :] = [replace(body[0], count=node.count * body[0].count)]
            return
        self._code.append(Leave(start, slot, node.count))

    def _move(self, body: tuple[Read | Write, ...], count: int) -> None:
        steps = tuple(_steps(body, self._numbers))
        if steps:
            self._code.append(Move(count, steps, _words(steps, False), _words(steps, True)))


def _waits(body: Program, numbers: Mapping[str, int]) -> bool:
    """Whether any step of `body` can wait."""
    for node in body:
        match node:
            case Read(stream) if stream in numbers:
                return True
            case Write(streams) if any(s in numbers for s in streams):
                return True
            case Repeat(count, inner) if count and _waits(inner, numbers):
                return True
    return False


def _steps(
    body: tuple[Read | Write, ...], numbers: Mapping[str, int]
) -> Iterator[tuple[bool, tuple[int, ...]]]:
    for node in body:
        streams = (node.stream,) if isinstance(node, Read) else node.streams
        known = tuple(numbers[s] for s in streams if s in numbers)
        if known:
            yield isinstance(node, Write), known


def _words(steps: tuple[tuple[bool, tuple[int, ...]], ...], write: bool) -> tuple[tuple[int, int], ...]:
    """How many words of each stream one iteration reads (or writes)."""
    words: dict[int, int] = {}
    for kind, streams in steps:
        for stream in streams if kind == write else ():
            words[stream] = words.get(stream, 0) + 1
    return tuple(words.items())
