"""A loop of hls_lib and the twin in rtl_lib/twins that has it: II and depth, chosen before it was written."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Loop:
    """A pipelined loop: cycles an iteration, cycles from its reads to its writes, and what those are.

    `depth` is the constant of hls_lib/include/stb/depths.hpp that `STB_ENTER` has there.
    """

    depth: str
    ii: int
    stages: tuple[tuple[str, int], ...]

    @property
    def cycles(self) -> int:
        """From a read to the write that depends on it."""
        return sum(count for _, count in self.stages)


@dataclass(frozen=True, kw_only=True)
class Twin:
    """A process in SystemVerilog, and the hls_lib functions whose loops it has."""

    module: str
    functions: tuple[str, ...]
    loops: tuple[Loop, ...]
    confirmed: bool = False
    """Whether tests/rtl compares it with hls_lib, bit for bit and cycle by cycle."""
