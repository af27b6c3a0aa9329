"""The numbers that values are made of: lanes of a word, groups, fraction bits."""

LANES = 16
"""int32 elements in one 512-bit stream word."""
GROUP = 32
"""Activations that share one quantisation scale."""
RESIDUAL_FRAC = 12
"""Fraction bits of the residual stream: +-524,288 in steps of 2^-12."""
ACTIVATION_FRAC = 16
"""Fraction bits of every other vector: +-32,768 in steps of 2^-16."""


def words_of(width: int) -> int:
    """Stream words of a vector of `width` int32 elements; what the last one has too many is never used."""
    return -(-width // LANES)
