"""The numbers that a project may choose from: analysis refuses others, and the steps rely on it."""

MAX_CONTEXT = 32768
"""Positions of the KV cache: the sums of attention stay within 64 bits."""
GROUPS = (32, 64, 128)
"""Columns of a weight matrix that share a scale."""
OTHER_PORTS = 3
"""m_axi ports beside the weight channels: program with rows, parameters, KV cache."""
CHUNK = 32
"""Tokens of a launch at most, where a project does not say."""
PASSES = 4
"""Cycles for which the lanes use a word of weights at most, where a project does not say."""
TOKEN_LANES = 8
"""Vectors that share a cycle, at most, where a project does not say."""

LOOPS_MHZ = 250
"""The clock that the stages of loops (stb/depths.hpp) and the paths of the twins are made for."""


def clock_text(clock_mhz: int) -> str:
    """A clock with what a figure at it rests on: no twin holds one that is faster than `LOOPS_MHZ`."""
    beyond = f"; loops are made for {LOOPS_MHZ} MHz, and nothing shows that they reach it"
    return f"{clock_mhz} MHz (target{beyond if clock_mhz > LOOPS_MHZ else ''})"


def most_channels(*, banks: int, ports: int) -> int:
    """Weight channels that the memory and the ports allow."""
    return min(banks, ports - OTHER_PORTS)
