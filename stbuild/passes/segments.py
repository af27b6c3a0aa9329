"""Kernels: what hangs together by streams, once the engine is taken away, is one kernel."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from stbuild.ir.design import Argmax, Design, FanOut, Kernel, LoopHead, Process, Stream
from stbuild.ir.graph import Attention
from stbuild.passes.frame import CONTROL, LAUNCH, ROUTER, SEGMENT


@dataclass(frozen=True, kw_only=True)
class FormKernels:
    """Give every streaming process its kernel, and every process its command stream."""

    name: ClassVar[str] = "form-kernels"

    def __call__(self, design: Design) -> Design:
        kernels = _named(design, _components(design))
        of = {process: kernel for kernel, members in kernels.items() for process in members}
        processes = tuple(replace(p, kernel=of.get(p.name, p.kernel)) for p in design.processes)
        commands = tuple(_commands(design, kernels))
        return replace(
            design,
            processes=_with_commands(processes, kernels),
            streams=(*design.streams, *commands),
            kernels=_kernels(design, tuple(kernels)),
        )


def _components(design: Design) -> list[list[str]]:
    """The connected components of the streaming processes, each in the order of the design."""
    names = [p.name for p in design.processes if p.kernel == SEGMENT]
    parent = {name: name for name in names}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    for stream in design.streams:
        if stream.source in parent and stream.sink in parent:
            parent[root(stream.sink)] = root(stream.source)
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[root(name)].append(name)
    return list(groups.values())


def _named(design: Design, components: list[list[str]]) -> dict[str, list[str]]:
    kernels: dict[str, list[str]] = {}
    for members in components:
        name = _kernel_name(design, members)
        kernels[name if name not in kernels else f"{name}_{len(kernels)}"] = members
    return kernels


def _kernel_name(design: Design, members: list[str]) -> str:
    """A name that says what the kernel is about: its attention, its loop, the sampler, or its first op."""
    processes = [design.process(name) for name in members]
    for kind, suffix in ((LoopHead, "residual"), (Attention, "attention")):
        for process in processes:
            if isinstance(process.op, kind):
                return f"{design.blocks[process.block].name}_{suffix}"
    if any(isinstance(p.op, Argmax) for p in processes):
        return "sampler"
    return next((p.name for p in processes if not p.name.endswith("_fork")), members[0])


def _commands(design: Design, kernels: dict[str, list[str]]) -> Iterator[Stream]:
    for kernel, members in kernels.items():
        yield Stream(
            name=f"cmd_{kernel}", source="sequence", sink=f"{kernel}_commands", words=0, command=True
        )
        for member in members:
            yield Stream(
                name=f"{member}_cmd", source=f"{kernel}_commands", sink=member, words=0, command=True
            )


def _with_commands(processes: tuple[Process, ...], kernels: dict[str, list[str]]) -> tuple[Process, ...]:
    commands = tuple(f"cmd_{kernel}" for kernel in kernels)
    fans = tuple(
        Process(
            name=f"{kernel}_commands",
            kernel=kernel,
            op=FanOut(),
            block=LAUNCH,
            reads=(f"cmd_{kernel}",),
            writes=tuple(f"{member}_cmd" for member in members),
        )
        for kernel, members in kernels.items()
    )
    rest = tuple(replace(p, writes=(*p.writes, *commands)) if p.name == "sequence" else p for p in processes)
    return (*fans, *rest)


def _kernels(design: Design, segments: tuple[str, ...]) -> tuple[Kernel, ...]:
    units = tuple(f"matmul_{u}" for u in range(design.sizes.units))
    single = tuple(Kernel(name=name, units=(name,), slrs=(None,)) for name in (CONTROL, ROUTER, *segments))
    return (*single, Kernel(name="matmul", units=units, slrs=(None,) * len(units)))
