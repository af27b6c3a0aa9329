"""FIFOs of kernels to LUTs, BRAM or URAM: where each is cheapest."""

from dataclasses import dataclass, replace
from typing import ClassVar

from stbuild.ir.design import Design, Stream
from stbuild.platform import Platform
from stbuild.resources.storage import bind_fifo
from stbuild.resources.usage import stream_bits


@dataclass(frozen=True, kw_only=True)
class BindFifos:
    """Give every stream between processes of one unit its memory; the linker makes the others."""

    name: ClassVar[str] = "bind-fifos"
    platform: Platform

    def __call__(self, design: Design) -> Design:
        units = {p.name: design.unit_of(p) for p in design.processes}
        streams = tuple(self._bound(s) if units[s.source] == units[s.sink] else s for s in design.streams)
        return replace(design, streams=streams)

    def _bound(self, stream: Stream) -> Stream:
        bound = bind_fifo(stream.depth, stream_bits(stream), self.platform.available)
        return replace(stream, storage=bound.storage)
