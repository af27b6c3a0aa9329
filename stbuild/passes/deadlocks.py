"""Removes deadlocks: runs the network without values and deepens the full FIFOs of each hang."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from stbuild.errors import StbuildError
from stbuild.ir.design import WORD_BYTES, Design
from stbuild.ir.kv import BLOCK
from stbuild.ir.program import Launch
from stbuild.network.hang import Hang, Wait
from stbuild.network.network import network_of
from stbuild.network.runner import Runner
from stbuild.platform import Platform
from stbuild.resources.fit import fifo_bytes, on_chip_bytes


@dataclass(frozen=True, kw_only=True)
class ProveFifos:
    """Deepen FIFOs until no launch hangs; refuse a design that hangs at any depth.

    Every kind of launch is run: one token and a whole chunk, at the first position and at the last, and
    several tokens behind a block of the cache where a chunk at the last position sees none, each with and
    without logits. Where processes wait for each other, one of the full FIFOs among them gets a word more,
    and the run goes on from there: a FIFO is deepened only as far as somebody needs it. What is deeper than
    all memory of the card is not run: `fit_of` refuses it, with sizes that would fit.
    """

    name: ClassVar[str] = "prove-fifos"
    platform: Platform
    given: frozenset[str] = frozenset()
    """Streams whose depths a project sets by hand: they stay as they are, and a hang by them is refused."""

    def __call__(self, design: Design) -> Design:
        self._check_given(design)
        if fifo_bytes(design) > on_chip_bytes(self.platform):
            return design
        run: list[Runner] = []
        for launch in launches(design):
            runner = Runner(network_of(design, launch))
            if not any(runner.same_but_for_depths(other) for other in run):
                design = without_hang(design, launch, runner, self.given)
                run.append(runner)
        return design

    def _check_given(self, design: Design) -> None:
        """Depths set by hand that no memory of the card holds."""
        room = on_chip_bytes(self.platform)
        for stream in design.streams:
            need = stream.depth * WORD_BYTES
            if stream.name in self.given and need > room:
                raise StbuildError(
                    f"depths: {stream.name} with {stream.depth} words holds {need / 2**20:,.1f} MiB, "
                    f"{self.platform.name} has {room / 2**20:.1f} MiB on chip",
                    hint="give it fewer words, or leave it to the compiler",
                )


def launches(design: Design) -> Iterator[Launch]:
    """The kinds of launches of a design, those that need the deepest FIFOs first."""
    context = design.sizes.context
    most = min(design.sizes.chunk, context)
    kinds = {(most, 0), (most, context - most), (1, 0), (1, context - 1)}
    if context - most < BLOCK < context:
        kinds.add((context - BLOCK, BLOCK))
    for tokens, position in sorted(kinds, key=lambda kind: (-kind[0], kind[1])):
        for head in (True, False):
            yield Launch(tokens=tokens, position=position, head=head)


def without_hang(
    design: Design, launch: Launch, runner: Runner, given: frozenset[str] = frozenset()
) -> Design:
    """`design` with FIFOs, those given apart, so deep that `launch`, which `runner` runs, does not hang.

    Raises StbuildError with the cycle if no FIFO of the design is full in it: what lies within a compute unit
    has the depth that its C++ has.
    """
    words = {stream.name: stream.words for stream in design.streams}

    def narrowest(cycle: tuple[Wait, ...]) -> str | None:
        """The full FIFO that holds a token in the fewest words; of equals the deepest."""
        full = [w for w in cycle if w.write and w.stream in words and w.stream not in given]
        return min(full, key=lambda w: (words[w.stream], -w.depth, w.stream)).stream if full else None

    hang = runner.run(narrowest)
    if hang is not None:
        raise _refused(design, launch, hang, given)
    depths = runner.depths
    return replace(
        design, streams=tuple(replace(s, depth=depths.get(s.name, s.depth)) for s in design.streams)
    )


def _refused(design: Design, launch: Launch, hang: Hang, given: frozenset[str]) -> StbuildError:
    """What hangs, and which depth set by hand is the reason."""
    tokens = "1 token" if launch.tokens == 1 else f"{launch.tokens} tokens"
    when = f"{design.name} hangs in a launch of {tokens} from position {launch.position}"
    waits = f"these processes wait for each other\n{hang}"
    by_hand = [wait for wait in hang.cycle if wait.write and wait.stream in given]
    if not by_hand:
        return StbuildError(f"{when}, and deeper FIFOs do not help: {waits}", exit_code=1)
    stream, depth = by_hand[0].stream, by_hand[0].depth
    return StbuildError(
        f"depths: with {'1 word' if depth == 1 else f'{depth} words'} in {stream} {when}; "
        f"give it more words, or leave it to the compiler: {waits}"
    )
