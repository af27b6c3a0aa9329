"""FIFO depths that a project sets by hand."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from stbuild.errors import StbuildError, did_you_mean
from stbuild.ir.design import Design


@dataclass(frozen=True, kw_only=True)
class SetDepths:
    """Give the streams that `depths` names as many words; the proof behind it leaves them so."""

    name: ClassVar[str] = "set-depths"
    depths: Mapping[str, int] = field(default_factory=dict)

    def __call__(self, design: Design) -> Design:
        names = [stream.name for stream in design.streams]
        for name, words in self.depths.items():
            if name not in names:
                raise StbuildError(
                    f"depths: {design.name} has no stream {name!r}", hint=did_you_mean(name, names)
                )
            if words < 1:
                raise StbuildError(
                    f"depths: {name} takes 1 word or more, got {words}",
                    hint=f"without it the compiler takes {design.stream(name).depth}",
                )
        streams = tuple(replace(s, depth=self.depths.get(s.name, s.depth)) for s in design.streams)
        return replace(design, streams=streams)
