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


def most_channels(*, banks: int, ports: int) -> int:
    """Weight channels that the memory and the ports allow."""
    return min(banks, ports - OTHER_PORTS)
