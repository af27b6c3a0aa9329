"""Parameters reach each kernel in one stream: a port has 514 wires, and a vector of them comes once a run."""

from dataclasses import dataclass, replace
from typing import ClassVar

from stbuild.ir.design import Design, Process, Stream, StreamKind
from stbuild.ir.plumbing import ReadParams
from stbuild.ir.unique import UniqueNames
from stbuild.ops.split_params import ParamRuns, SplitParams
from stbuild.passes.engine import LAUNCH


@dataclass(frozen=True, kw_only=True)
class _Joined:
    """A kernel of which several processes have parameters: `members` are the numbers of their streams."""

    kernel: str
    members: tuple[int, ...]
    inlet: str
    split: str


@dataclass(frozen=True, kw_only=True)
class JoinParams:
    """Send the parameters of all processes of a kernel by one stream, which a process of it distributes."""

    name: ClassVar[str] = "join-params"

    def __call__(self, design: Design) -> Design:
        reader = next((p for p in design.processes if isinstance(p.op, ReadParams)), None)
        if reader is None:
            return design
        joined = _joined(design, reader)
        return replace(
            design,
            processes=(
                *(_with_streams(p, joined) if p is reader else p for p in design.processes),
                *(_split(design, reader, each) for each in joined),
            ),
            streams=(
                *(_from_split(s, reader, joined) for s in design.streams),
                *(_inlet(reader, each) for each in joined),
            ),
        )


def _joined(design: Design, reader: Process) -> tuple[_Joined, ...]:
    processes = UniqueNames(p.name for p in design.processes)
    streams = UniqueNames(s.name for s in design.streams)
    kernels: dict[str, list[int]] = {}
    for number, stream in enumerate(reader.writes):
        kernels.setdefault(design.process(design.stream(stream).sink).kernel, []).append(number)
    return tuple(
        _Joined(
            kernel=kernel,
            members=tuple(numbers),
            inlet=streams.new(f"params_{kernel}"),
            split=processes.new(f"{kernel}_params"),
        )
        for kernel, numbers in kernels.items()
        if len(numbers) > 1
    )


def _with_streams(reader: Process, joined: tuple[_Joined, ...]) -> Process:
    """The reader with the streams that it is left with, in the order of what it first reads for them."""
    inlets = {number: each.inlet for each in joined for number in each.members}
    found = [inlets.get(number, stream) for number, stream in enumerate(reader.writes)]
    writes = tuple(dict.fromkeys(found))
    assert isinstance(reader.op, ReadParams)
    op = replace(reader.op, streams=tuple(map(writes.index, found)))
    return replace(reader, op=op, writes=writes)


def _split(design: Design, reader: Process, joined: _Joined) -> Process:
    op = reader.op
    assert isinstance(op, ReadParams)
    reads = [op.reads[number] for number in joined.members]
    blocks = tuple(
        ParamRuns(
            block=block,
            runs=design.blocks[block].count,
            words=tuple(r.words for r in reads if r.block == block),
        )
        for block in sorted({read.block for read in reads})
    )
    in_order = sorted(joined.members, key=lambda number: op.reads[number].block)
    return Process(
        name=joined.split,
        kernel=joined.kernel,
        op=SplitParams(blocks=blocks),
        block=LAUNCH,
        reads=(joined.inlet,),
        writes=tuple(reader.writes[number] for number in in_order),
    )


def _from_split(stream: Stream, reader: Process, joined: tuple[_Joined, ...]) -> Stream:
    """A stream of parameters as one that `split` writes, if it does."""
    splits = {reader.writes[number]: each.split for each in joined for number in each.members}
    return replace(stream, source=splits[stream.name]) if stream.name in splits else stream


def _inlet(reader: Process, joined: _Joined) -> Stream:
    return Stream(name=joined.inlet, kind=StreamKind.PARAMS, source=reader.name, sink=joined.split, words=1)
