"""Runs a network of bounded FIFOs without values: it ends, or it hangs and says what each process waits for.

In a Kahn network neither the order in which processes run nor any value changes where they end, so that
one run without a hang is a proof for its launch. Processes move as many words at once as they can; what
one iteration writes to several streams it writes at the same time.

A pipeline that stalls may do so with all of an iteration's reads and writes: whoever can read but not
write takes nothing in. That is how a proof must see it (`whole`). The emulator goes step by step, so that a
read frees its slot even where the write behind it waits: without `whole` both stop in the same state. What
ends with whole iterations ends step by step too.

A process that only fills (or only empties) one stream never makes anybody wait, once all that is read of
a stream is also written: it is left out, and with it the weights and the KV records.

Runs of a block that repeats need not all be run. As each begins, everybody else goes on until all stand
still. If that state is the one of a run before, all runs but the last have it, and are skipped.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from stbuild.ir.program import Words, words_of_program
from stbuild.network.code import Gate, Leave, Move, code_of, counters_of
from stbuild.network.hang import Deepen, Hang, Wait, cycle_of, never
from stbuild.network.network import Network
from stbuild.network.runs import Snapshot, periodic_runs, run_loops

NOBODY = -1


def unbalanced(words: Mapping[str, Words]) -> Iterator[tuple[str, int, int]]:
    """Streams of which less is read than written, or more: name, words written, words read."""
    written, read = Counter[str](), Counter[str]()
    for each in words.values():
        written.update(each.written)
        read.update(each.read)
    for stream in sorted({*written, *read}):
        if written[stream] != read[stream]:
            yield stream, written[stream], read[stream]


class Runner:
    """One launch of a network.

    `whole`: an iteration happens at once or not at all, else step by step. `all_runs`: do not skip runs
    that repeat the one before.
    """

    def __init__(self, network: Network, *, whole: bool = True, all_runs: bool = False) -> None:
        words = {name: words_of_program(program) for name, program in network.programs.items()}
        if wrong := list(unbalanced(words)):
            raise ValueError("stream {!r} is written {} words, of which {} are read".format(*wrong[0]))
        self._names = [name for name in words if len(words[name].read) + len(words[name].written) > 1]
        programs = [network.programs[name] for name in self._names]
        read = {stream for name in self._names for stream in words[name].read}
        self._streams = sorted(read.intersection(s for n in self._names for s in words[n].written))
        numbers = {stream: i for i, stream in enumerate(self._streams)}
        gates = {} if all_runs else {process: block for block, process in network.loops.items()}
        self._code = [
            code_of(program, numbers, gates.get(name))
            for name, program in zip(self._names, programs, strict=True)
        ]
        self._ends(numbers)
        self._iterate = self._iterate_whole if whole else self._iterate_by_steps
        self.skipped = 0
        self._depth = [network.depths[stream] for stream in self._streams]
        self._fill = [0] * len(self._streams)
        self._reader, self._writer = [NOBODY] * len(self._streams), [NOBODY] * len(self._streams)
        count = len(self._names)
        self._at, self._left, self._step = [0] * count, [0] * count, [0] * count
        self._loops = [run_loops(code) for code in self._code]
        self._counters = [[0] * counters_of(code) for code in self._code]
        self._ready = list(range(count))
        self._gated: dict[int, int] = {}
        self._opened: set[int] = set()
        self._before: dict[int, Snapshot] = {}

    def _ends(self, numbers: Mapping[str, int]) -> None:
        """Who reads and who writes each stream."""
        self._reads_it, self._writes_it = [NOBODY] * len(numbers), [NOBODY] * len(numbers)
        for process, code in enumerate(self._code):
            for move in code:
                if isinstance(move, Move):
                    for stream, _ in move.taken:
                        self._reads_it[stream] = process
                    for stream, _ in move.given:
                        self._writes_it[stream] = process

    @property
    def depths(self) -> dict[str, int]:
        """The depths as they are now, of the streams that can make somebody wait."""
        return dict(zip(self._streams, self._depth, strict=True))

    def same_but_for_depths(self, other: "Runner") -> bool:
        """Whether both networks are the same but for depths: a launch at another position may be."""
        return (self._streams, self._code) == (other._streams, other._code)

    def run(self, deepen: Deepen = never) -> Hang | None:
        """Run to the end, or until a hang of which `deepen` deepens no FIFO."""
        while True:
            self._run_ready()
            if self._gated:
                self._open(min(self._gated))
                continue
            if self._ended():
                return None
            cycle = self._cycle()
            stream = deepen(cycle)
            if stream is None:
                return Hang(waits=tuple(self._waits().values()), cycle=cycle)
            self._add_word(self._streams.index(stream))

    def _run_ready(self) -> None:
        while self._ready:
            self._advance(self._ready.pop())

    def _advance(self, p: int) -> None:
        """Run process `p` until it waits or has ended."""
        code, counters, at = self._code[p], self._counters[p], self._at[p]
        while at < len(code):
            ins = code[at]
            if type(ins) is Move:
                if not self._move(p, ins):
                    break
                at += 1
            elif type(ins) is Leave:
                counters[ins.slot] += 1
                if counters[ins.slot] < ins.count:
                    at = ins.start
                else:
                    counters[ins.slot] = 0
                    at += 1
            elif type(ins) is Gate:
                if ins.block not in self._opened:
                    self._gated[ins.block] = p
                    break
                self._opened.remove(ins.block)
                at += 1
            else:
                at += 1
        self._at[p] = at

    def _move(self, p: int, move: Move) -> bool:
        """Do what is left of a pipelined loop; False: it waits."""
        fill, depth = self._fill, self._depth
        left = self._left[p] or move.count
        while left:
            if self._step[p] == 0:
                many = left
                for stream, words in move.taken:
                    many = min(many, fill[stream] // words)
                for stream, words in move.given:
                    many = min(many, (depth[stream] - fill[stream]) // words)
                if many:
                    self._transfer(move, many)
                    left -= many
                    continue
            if not self._iterate(p, move):
                break
            left -= 1
        self._left[p] = left
        return left == 0

    def _transfer(self, move: Move, many: int) -> None:
        for stream, words in move.taken:
            self._fill[stream] -= many * words
            self._wake(self._writer, stream)
        for stream, words in move.given:
            self._fill[stream] += many * words
            self._wake(self._reader, stream)

    def _iterate_whole(self, p: int, move: Move) -> bool:
        """Waits for what an iteration lacks."""
        for stream, words in move.taken:
            if self._fill[stream] < words:
                self._reader[stream] = p
                return False
        for stream, words in move.given:
            if self._depth[stream] - self._fill[stream] < words:
                self._writer[stream] = p
                return False
        raise AssertionError("an iteration that lacks nothing has not happened")

    def _iterate_by_steps(self, p: int, move: Move) -> bool:
        """One iteration step by step, from where it stopped; False: it waits."""
        fill, depth = self._fill, self._depth
        for number in range(self._step[p], len(move.steps)):
            write, streams = move.steps[number]
            for stream in streams:
                if fill[stream] == (depth[stream] if write else 0):
                    (self._writer if write else self._reader)[stream] = p
                    self._step[p] = number
                    return False
            for stream in streams:
                fill[stream] += 1 if write else -1
                self._wake(self._reader if write else self._writer, stream)
        self._step[p] = 0
        return True

    def _wake(self, waiting: list[int], stream: int) -> None:
        if waiting[stream] != NOBODY:
            self._ready.append(waiting[stream])
            waiting[stream] = NOBODY

    def _add_word(self, stream: int) -> None:
        self._depth[stream] += 1
        self._wake(self._writer, stream)

    def _open(self, block: int) -> None:
        """Let the next run of `block` begin; skip runs that would repeat the one before."""
        now = self._snapshot()
        before = self._before.get(block)
        ahead = periodic_runs(before, now, block, self._loops) if before is not None else 0
        if ahead:
            self._skip(block, ahead)
        self._before[block] = now
        self._opened.add(block)
        self._ready.append(self._gated.pop(block))

    def _snapshot(self) -> Snapshot:
        return Snapshot(
            at=tuple(self._at),
            rest=(tuple(self._left), tuple(self._step), tuple(self._fill), tuple(self._depth)),
            counters=tuple(map(tuple, self._counters)),
        )

    def _skip(self, block: int, runs: int) -> None:
        self.skipped += runs
        for at, counters, loops in zip(self._at, self._counters, self._loops, strict=True):
            loop = loops.get(at)
            if loop is not None and loop.block == block:
                counters[loop.slot] += runs

    def _ended(self) -> bool:
        return all(at == len(code) for at, code in zip(self._at, self._code, strict=True))

    def _waits(self) -> dict[int, Wait]:
        """What each process that has not ended waits for, by its number."""
        return {
            p: self._wait(p, stream, write)
            for write, waiting in ((False, self._reader), (True, self._writer))
            for stream, p in enumerate(waiting)
            if p != NOBODY
        }

    def _wait(self, p: int, stream: int, write: bool) -> Wait:
        return Wait(
            process=self._names[p],
            write=write,
            stream=self._streams[stream],
            depth=self._depth[stream],
            fill=self._fill[stream],
        )

    def _cycle(self) -> tuple[Wait, ...]:
        """Processes that wait for each other."""
        readers = {p: (s, self._writes_it[s]) for s, p in enumerate(self._reader) if p != NOBODY}
        writers = {p: (s, self._reads_it[s]) for s, p in enumerate(self._writer) if p != NOBODY}
        waits_for = {p: other for p, (_, other) in (readers | writers).items()}
        cycle = cycle_of(waits_for, sorted(waits_for))
        return tuple(
            self._wait(p, writers[p][0] if p in writers else readers[p][0], p in writers) for p in cycle
        )
