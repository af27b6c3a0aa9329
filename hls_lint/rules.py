"""The findings, a function each: from the record of a process to sentences with a line."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod

from hls_lint.arrays import FEW, dimensions, element_bits, is_partitioned, is_registers
from hls_lint.record import Access, Branch, Loop, LoopKind, Process
from hls_lint.values import Value

PORTS = 2
"""Accesses in a cycle to one memory: block RAM, URAM and LUTRAM as Vitis HLS uses them."""
SHORT = 16
"""Cycles of work below which filling and draining a pipeline, some 20 cycles, takes more than the work."""
SMALL_BITS = 36 * 1024
"""One block RAM; below it the tool's own choice costs little."""


@dataclass(frozen=True, order=True, kw_only=True)
class Finding:
    """What the tool would not schedule as written."""

    at: str
    rule: str
    text: str


def findings(process: Process) -> list[Finding]:
    """All of one process."""
    rules = (
        nests,
        entries,
        ticks,
        unbounded,
        ports,
        transfers,
        divisions,
        chains,
        recurrences,
        dependences,
        storage,
        plain,
    )
    return sorted({found for rule in rules for found in rule(process)})


def nests(process: Process) -> Iterator[Finding]:
    """A pipeline that drains with every iteration of a loop which it does not flatten into."""
    for loop, around in process.pipelines:
        copies = [x for x in around if x.kind is LoopKind.UNROLLED and x.trip != 1]
        if copies:
            text = f"{loop.label} exists once for each iteration of {copies[-1].label}; unroll inside of it"
            yield Finding(at=loop.at, rule="nest", text=text)
        plain = [x for x in _flattened(loop, around)[0] if x.trip != 1]
        if loop.trip == 1 or not plain:
            continue
        text = f"{loop.label} drains with each iteration of {plain[-1].label}"
        if len(plain) > 1:
            names = " and ".join(x.label for x in plain)
            yield Finding(at=loop.at, rule="nest", text=f"{text}, inside {names}: make them one loop")
        elif loop.trip is not None and loop.trip * loop.ii < SHORT:
            yield Finding(at=loop.at, rule="nest", text=f"{text} after {loop.trip * loop.ii} cycles of work")


def _flattened(loop: Loop, around: Sequence[Loop]) -> tuple[list[Loop], Loop]:
    """The loops that stay around a pipeline, and the outermost that it becomes one with.

    Vitis HLS flattens perfect nests of which only the outermost loop has a variable bound (UG1399).
    """
    plain = [x for x in around if x.kind is LoopKind.PLAIN]
    outermost = loop
    while plain and plain[-1].flattens and outermost.trip is not None:
        outermost = plain.pop()
    return plain, outermost


def entries(process: Process) -> Iterator[Finding]:
    """A pipeline whose filling and draining costs nothing in the timed network."""
    for loop, around in process.pipelines:
        _, outermost = _flattened(loop, around)
        if not outermost.entered:
            text = f"{outermost.label} is entered without STB_ENTER: the timed network would not charge it"
            yield Finding(at=outermost.at, rule="entry", text=text)


def ticks(process: Process) -> Iterator[Finding]:
    """A pipeline whose iterations take more cycles than the timed network charges."""
    for loop, _ in process.pipelines:
        says = "no STB_TICK says so" if loop.charged is None else f"STB_TICK says {loop.charged}"
        if (1 if loop.charged is None else loop.charged) < loop.ii:
            text = f"{loop.label} begins an iteration every {loop.ii} cycles, and {says}"
            yield Finding(at=loop.at, rule="tick", text=text)


def unbounded(process: Process) -> Iterator[Finding]:
    """A loop that cannot be unrolled."""
    for loop in process.unbounded:
        text = f"{loop.label} is unrolled, or inside a pipeline, and its bound is not a constant"
        yield Finding(at=loop.at, rule="unroll", text=text)


def ports(process: Process) -> Iterator[Finding]:
    """More accesses to a memory than it has ports."""
    for array, accesses in process.by_array().items():
        if is_registers(process, array, accesses) or array in process.roms:
            continue
        variable, members = array
        for region, inside in _by_region(accesses):
            total = _together([(n, x.branch) for n, x in _distinct(process, inside)])
            if total <= PORTS * region.ii:
                continue
            where = next(x for _, x in sorted(_distinct(process, inside), key=lambda pair: -pair[0]))
            name = ".".join((variable.name, *members))
            text = (
                f"{name}: {total} accesses an iteration of {region.label}, II {region.ii}, to a memory with"
            )
            yield Finding(at=where.at, rule="ports", text=f"{text} {PORTS} ports; partition it")


def _by_region(accesses: Iterable[Access]) -> Iterator[tuple[Loop, list[Access]]]:
    """The accesses of each pipelined loop, or of what is unrolled outside of one."""
    found: dict[Loop, list[Access]] = defaultdict(list)
    for access in accesses:
        region = access.pipeline or _unrolled(access.loops)
        if region is not None:
            found[region].append(access)
    yield from found.items()


def _unrolled(loops: Sequence[Loop]) -> Loop | None:
    """The outermost of the unrolled loops at the end."""
    found = None
    for loop in reversed(loops):
        if loop.kind is not LoopKind.UNROLLED:
            break
        found = loop
    return found


def _distinct(process: Process, accesses: Iterable[Access]) -> list[tuple[int, Access]]:
    """Accesses to different places, each with its copies that share a memory."""
    found: dict[tuple[bool, tuple[Value, ...]], tuple[int, Access]] = {}
    for access in accesses:
        copies = {loop.number: loop.trip or 1 for loop in access.copies}
        shared: set[int] = set()
        for dimension, index in enumerate(access.place.indices, 1):
            if not is_partitioned(process, access.place.array, dimension):
                shared |= index.loops & set(copies)
        key = (access.write, access.place.indices)
        count = prod(copies[n] for n in shared)
        if count > found.get(key, (0, access))[0]:
            found[key] = (count, access)
    return list(found.values())


def _together(uses: Sequence[tuple[int, Branch]], depth: int = 0) -> int:
    """Uses in one iteration; of the arms of a condition the greater counts."""
    always = sum(n for n, branch in uses if len(branch) <= depth)
    arms: dict[int, dict[int, list[tuple[int, Branch]]]] = defaultdict(lambda: defaultdict(list))
    for n, branch in uses:
        if len(branch) > depth:
            condition, arm = branch[depth]
            arms[condition][arm].append((n, branch))
    return always + sum(max(_together(arm, depth + 1) for arm in each.values()) for each in arms.values())


def transfers(process: Process) -> Iterator[Finding]:
    """More reads or writes of a stream than the cycles of an iteration."""
    found: dict[tuple[Loop, str, bool], list[tuple[int, Branch]]] = defaultdict(list)
    lines: dict[tuple[Loop, str, bool], str] = {}
    for x in process.transfers:
        if x.pipeline is not None:
            key = (x.pipeline, x.port, x.write)
            found[key].append((prod(loop.trip or 1 for loop in x.copies), x.branch))
            lines.setdefault(key, x.at)
    for key, uses in found.items():
        loop, port, write = key
        if _together(uses) > loop.ii:
            verb = "writes" if write else "reads"
            text = f"{_together(uses)} {verb} of {port} an iteration of {loop.label}, II {loop.ii}"
            yield Finding(at=lines[key], rule="stream", text=text)


def divisions(process: Process) -> Iterator[Finding]:
    """A divider of some 70 cycles at full rate."""
    for x in process.divisions:
        if x.pipeline is not None:
            text = f"{x.text} in the pipeline {x.pipeline.label}: use a counter, a product, or steps"
            yield Finding(at=x.at, rule="division", text=text)


def chains(process: Process) -> Iterator[Finding]:
    """Selections, products or sums of floats that wait for each other."""
    for x in process.chains:
        text = f"{x.name}: {x.length} selections in a row; make a tree"
        yield Finding(at=x.at, rule="chain", text=text)


def recurrences(process: Process) -> Iterator[Finding]:
    """A scalar that an iteration needs before the last one has it."""
    for x in process.recurrences:
        assert x.pipeline is not None
        text = f"{x.name} needs its last value in {x.pipeline.label}, II {x.pipeline.ii}, behind a product, "
        yield Finding(at=x.at, rule="recurrence", text=f"{text}a table or a sum of floats: that takes longer")


def dependences(process: Process) -> Iterator[Finding]:
    """A memory that a pipeline reads and writes, at places that the tool cannot tell apart."""
    for array, accesses in process.by_array().items():
        if array in process.distances or is_registers(process, array, accesses):
            continue
        for region, inside in _by_region(accesses):
            if region.kind is not LoopKind.PIPELINED or region.number in array[0].loops:
                continue
            found = _unproven(inside, region)
            if found is not None:
                write, read = found
                text = (
                    f"{'.'.join((array[0].name, *array[1]))} is written here and read at {read.at} in "
                    f"{region.label}: say how many iterations lie between (STB_DISTANCE, STB_INDEPENDENT)"
                )
                yield Finding(at=write.at, rule="dependence", text=text)


def _unproven(accesses: Sequence[Access], region: Loop) -> tuple[Access, Access] | None:
    for write in (x for x in accesses if x.write):
        for read in (x for x in accesses if not x.write):
            pairs = zip(write.place.indices, read.place.indices, strict=False)
            if not any(a == b and _moves_with(a, region) for a, b in pairs):
                return write, read
    return None


def _moves_with(index: Value, loop: Loop) -> bool:
    """Whether each iteration of a loop has another value of it."""
    return not index.others and loop.number in {n for n, _ in index.terms}


def storage(process: Process) -> Iterator[Finding]:
    """A memory larger than a block RAM whose kind nobody has chosen."""
    by_array = process.by_array()
    for array in by_array:
        variable, members = array
        lengths = dimensions(array)
        bits = prod(lengths) * element_bits(array)
        if variable not in process.variables or not lengths or bits <= SMALL_BITS:
            continue
        if array in process.bound or is_registers(process, array, by_array[array]):
            continue
        name = ".".join((variable.name, *members))
        text = f"{name}: {bits // 8192} KiB without STB_BIND: the tool would choose block RAM"
        yield Finding(at=variable.at, rule="storage", text=text)


def plain(process: Process) -> Iterator[Finding]:
    """A `for` of which nobody has said what becomes of it, of more than a few steps or of who knows how many.

    A `while` is left out: it may be a search of a few steps.
    """
    for loop in process.unmarked:
        if loop.trip is not None and loop.trip <= FEW:
            continue
        text = f"{loop.label} is neither pipelined nor unrolled, and no loop in it is"
        yield Finding(at=loop.at, rule="plain", text=text)
