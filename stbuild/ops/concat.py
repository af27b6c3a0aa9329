"""Concat: the concatenation of vectors."""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from stbuild.ir.call import Call
from stbuild.ir.op import CheckContext, StreamingOp, Values
from stbuild.ir.parts import Choose, Hold, Part
from stbuild.ir.program import Program, Repeat, moves
from stbuild.ir.streaming import CallSite, LaunchContext
from stbuild.ir.types import ACTIVATION_FRAC, LANES
from stbuild.ops.checks import require_multiple, require_width
from stbuild.ops.datapaths import WORD


@dataclass(frozen=True, kw_only=True)
class Concat(StreamingOp):
    """The values of `parts`, concatenated."""

    operand_fields: ClassVar[tuple[str, ...]] = ("parts",)
    in_turn: ClassVar[bool] = True

    parts: tuple[str, ...]

    def check(self, context: CheckContext) -> None:
        """Whole words of each part, all of them together as wide as the result."""
        for part in self.parts:
            require_multiple(self, context.widths[part])
        require_width(self, sum(context.widths[part] for part in self.parts), self.width)

    def fixed(self, frac: int, values: Values) -> Self:
        """With the fraction bits of the parts, where these have the same."""
        fracs = {values.frac(part) for part in self.parts}
        common = fracs.pop() if len(fracs) == 1 else ACTIVATION_FRAC
        return replace(self, frac=common, parts=tuple(values.rescaled(part, common) for part in self.parts))

    def program(self, here: LaunchContext) -> Program:
        """Of each token part after part."""
        parts = zip(here.reads, here.words, strict=True)
        copies = tuple(moves(part, here.writes[0], words) for part, words in parts)
        return here.each_run(Repeat(here.tokens, copies))

    def call(self, site: CallSite) -> Call:
        """`stb::concat`, which takes its result first and then any number of inputs."""
        widths = tuple(("WIDTHS", words * LANES) for words in site.words)
        arguments = (*site.times.items(), *widths)
        return Call(header="plumbing", function="concat", arguments=arguments, results_first=True)

    def hardware(self, site: CallSite) -> tuple[Part, ...]:
        """A choice of the part."""
        return Choose(ways=len(self.parts), bits=WORD), Hold(bits=WORD)
