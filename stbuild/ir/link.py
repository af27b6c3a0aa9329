"""What the linker makes of a stream between kernels."""

LEAST_DEPTH = 16


def linked_depth(depth: int) -> int:
    """The depth that the linker is asked for: its FIFO comes in powers of two from 16.

    That rule is likely, not confirmed (docs/vitis.md). A deeper FIFO never makes a network hang.
    """
    return max(LEAST_DEPTH, 1 << (depth - 1).bit_length())
