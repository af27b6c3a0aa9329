"""What every process of a streaming kernel has: its read/write program, its timing, its hls_lib call."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from stbuild.ir.call import Call
from stbuild.ir.parts import Part
from stbuild.ir.program import Launch, Program, Read, Repeat, Write
from stbuild.ir.types import ACTIVATION_FRAC


@dataclass(frozen=True, kw_only=True)
class LaunchContext:
    """A process in one launch: its streams, its block's runs, the tokens that it sees."""

    reads: tuple[str, ...]
    writes: tuple[str, ...]
    words: tuple[int, ...]
    """Words that pass through each of `reads` per token."""
    block: int
    runs: int
    tokens: int
    launch: Launch

    def each_run(self, *body: Read | Write | Repeat) -> Program:
        """`body` in every run of the block."""
        return (Repeat(self.runs, body, runs_of=self.block),)


@dataclass(frozen=True, kw_only=True)
class CallSite:
    """Where a process is called: fraction bits and words of the streams that it reads, runs, sizes."""

    fracs: tuple[int, ...]
    words: tuple[int, ...]
    runs: int
    head: bool
    chunk: int
    context: int
    vocab_size: int

    @property
    def frac(self) -> int:
        """The fraction bits of its first input."""
        return self.fracs[0] if self.fracs else ACTIVATION_FRAC

    @property
    def times(self) -> dict[str, int]:
        """How often it runs: the first template arguments of most processes."""
        return {"RUNS": self.runs, "ROLE": int(self.head)}


class Streaming(ABC):
    """What one process does, as the passes, the timing, the network and code generation need it."""

    in_turn: ClassVar[bool] = False
    """Whether it reads its inputs one after the other, not word by word together."""
    waits_for_chunk: ClassVar[bool] = False
    """Whether it takes in a whole chunk before its first word comes out."""
    named_parts: ClassVar[tuple[str, ...]] = ()
    """Parts of its C++ that stand in front of the kernel under a name of their own (`TypeArgument.part`)."""
    tabulated: ClassVar[bool] = False
    """Whether its call has a table."""

    @abstractmethod
    def program(self, here: LaunchContext) -> Program:
        """What it reads and writes behind its command: that of the function in hls_lib which `call` names."""

    @abstractmethod
    def call(self, site: CallSite) -> Call:
        """The function of hls_lib that does it."""

    @abstractmethod
    def hardware(self, site: CallSite) -> tuple[Part, ...]:
        """What the function of hls_lib becomes in synthesis, beside its counters (stbuild/resources)."""

    def latency(self, words: int) -> int:
        """Words that it takes in before its first word comes out, and a little for its pipeline.

        `words` are those of its first input per token.
        """
        return 2
