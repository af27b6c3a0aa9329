"""The same design under other names: all that refers to a kernel, process, stream or region goes along."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from stbuild.ir.design import Design, Process
from stbuild.ir.plumbing import Sequence

_REGION_FIELDS = ("region", "tokens", "kv")
"""The fields of plumbing that name a region."""


@dataclass(frozen=True, kw_only=True)
class Renaming:
    """New names by old ones; what is not there keeps its name.

    `kernels` has the names of compute units too; `ports` those of the memory ports of `control`.
    """

    kernels: Mapping[str, str]
    processes: Mapping[str, str]
    streams: Mapping[str, str]
    regions: Mapping[str, str]
    ports: Mapping[str, str]


def renamed(design: Design, names: Renaming) -> Design:
    """`design` under other names, everything in the same order."""
    kernels, processes = names.kernels, names.processes
    return replace(
        design,
        kernels=tuple(
            replace(k, name=kernels.get(k.name, k.name), units=_all(kernels, k.units)) for k in design.kernels
        ),
        processes=tuple(_process(p, names) for p in design.processes),
        streams=tuple(
            replace(
                s,
                name=names.streams.get(s.name, s.name),
                source=processes.get(s.source, s.source),
                sink=processes.get(s.sink, s.sink),
            )
            for s in design.streams
        ),
        regions=tuple(
            replace(
                r,
                name=names.regions.get(r.name, r.name),
                port=names.ports.get(r.port, r.port),
                write_port=names.ports.get(r.write_port, r.write_port),
            )
            for r in design.regions
        ),
    )


def _process(process: Process, names: Renaming) -> Process:
    command = process.command
    return replace(
        process,
        name=names.processes.get(process.name, process.name),
        kernel=names.kernels.get(process.kernel, process.kernel),
        op=_op(process.op, names.regions),
        reads=_all(names.streams, process.reads),
        writes=_all(names.streams, process.writes),
        command=None if command is None else names.streams.get(command, command),
    )


def _op(op: Any, regions: Mapping[str, str]) -> Any:
    """`op`, a value of the graph or of plumbing, with other names of regions."""
    changes: dict[str, Any] = {
        f.name: _region(getattr(op, f.name), regions) for f in fields(op) if f.name in _REGION_FIELDS
    }
    if isinstance(op, Sequence):
        changes["programs"] = _all(regions, op.programs)
        changes["rows"] = tuple(_op(row, regions) for row in op.rows)
    return replace(op, **changes) if changes else op


def _region(found: Any, regions: Mapping[str, str]) -> Any:
    """The name of a region, of several, or of none."""
    return _all(regions, found) if isinstance(found, tuple) else regions.get(found, found)


def _all(names: Mapping[str, str], found: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(names.get(name, name) for name in found)
