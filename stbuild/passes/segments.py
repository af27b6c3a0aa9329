"""Segments: each connected component of the streaming processes, without the engine, is one kernel."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from stbuild.ir.design import Design, Kernel, KernelRole, Process, Stream, StreamKind
from stbuild.ir.plumbing import Sequence
from stbuild.ir.unique import UniqueNames
from stbuild.ops.argmax import Argmax
from stbuild.ops.attention_heads import AttentionHeads
from stbuild.ops.fan_out import FanOut
from stbuild.ops.fork import Fork
from stbuild.ops.loop_head import LoopHead
from stbuild.passes.engine import LAUNCH
from stbuild.passes.net import SEGMENT


@dataclass(frozen=True, kw_only=True)
class _Segment:
    """A future kernel: its processes, the one that distributes commands, and the command streams."""

    kernel: str
    members: tuple[Process, ...]
    fan: str
    inlet: str
    commands: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class FormKernels:
    """Give every streaming process its kernel, and every process of these its command stream."""

    name: ClassVar[str] = "form-kernels"

    def __call__(self, design: Design) -> Design:
        segments = tuple(_segments(design))
        (sequence,) = (p for p in design.processes if isinstance(p.op, Sequence))
        return replace(
            design,
            processes=(*map(_fan, segments), *_with_commands(design, segments)),
            streams=(*design.streams, *(s for segment in segments for s in _streams(segment, sequence))),
            kernels=_kernels(design, segments),
        )


def _segments(design: Design) -> Iterator[_Segment]:
    kernels = UniqueNames(name for k in design.kernels for name in (k.name, *k.units))
    processes = UniqueNames(process.name for process in design.processes)
    streams = UniqueNames(stream.name for stream in design.streams)
    for members in _components(design):
        kernel = kernels.new(_kernel_name(design, members))
        yield _Segment(
            kernel=kernel,
            members=members,
            fan=processes.new(f"{kernel}_commands"),
            inlet=streams.new(f"cmd_{kernel}"),
            commands=tuple(streams.new(f"{member.name}_cmd") for member in members),
        )


def _components(design: Design) -> list[tuple[Process, ...]]:
    """The connected components of the streaming processes, each in the order of the design."""
    processes = [p for p in design.processes if p.kernel == SEGMENT]
    parent = {p.name: p.name for p in processes}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    for stream in design.streams:
        if stream.source in parent and stream.sink in parent:
            parent[root(stream.sink)] = root(stream.source)
    groups: dict[str, list[Process]] = defaultdict(list)
    for process in processes:
        groups[root(process.name)].append(process)
    return [tuple(group) for group in groups.values()]


def _kernel_name(design: Design, members: tuple[Process, ...]) -> str:
    """The name of a kernel: after its loop, its attention, the sampler, or its first op."""
    looping = (p for p in members if isinstance(p.op, LoopHead))
    keeping = (p for p in members if isinstance(p.op, AttentionHeads))
    for found, word in ((looping, "residual"), (keeping, "attention")):
        if process := next(found, None):
            return f"{design.blocks[process.block].name}_{word}"
    if any(isinstance(p.op, Argmax) for p in members):
        return "sampler"
    return next((p.name for p in members if not isinstance(p.op, Fork)), members[0].name)


def _streams(segment: _Segment, sequence: Process) -> Iterator[Stream]:
    yield _command(segment.inlet, sequence.name, segment.fan)
    for name, member in zip(segment.commands, segment.members, strict=True):
        yield _command(name, segment.fan, member.name)


def _command(name: str, source: str, sink: str) -> Stream:
    return Stream(name=name, kind=StreamKind.COMMAND, source=source, sink=sink, words=0)


def _fan(segment: _Segment) -> Process:
    return Process(
        name=segment.fan,
        kernel=segment.kernel,
        op=FanOut(),
        block=LAUNCH,
        reads=(segment.inlet,),
        writes=segment.commands,
    )


def _with_commands(design: Design, segments: tuple[_Segment, ...]) -> Iterator[Process]:
    """The processes of `design`, those of the segments with kernel and command."""
    found = {
        member.name: replace(member, kernel=segment.kernel, command=command)
        for segment in segments
        for member, command in zip(segment.members, segment.commands, strict=True)
    }
    inlets = tuple(segment.inlet for segment in segments)
    for process in design.processes:
        if isinstance(process.op, Sequence):
            yield replace(process, writes=(*process.writes, *inlets))
        else:
            yield found.get(process.name, process)


def _kernels(design: Design, segments: tuple[_Segment, ...]) -> tuple[Kernel, ...]:
    """The segments between the router and the compute units."""
    formed = (
        Kernel(name=s.kernel, role=KernelRole.SEGMENT, units=(s.kernel,), slrs=(None,)) for s in segments
    )
    engines = tuple(k for k in design.kernels if k.role is KernelRole.MATMUL)
    return (*(k for k in design.kernels if k not in engines), *formed, *engines)
