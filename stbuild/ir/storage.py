"""The memories of the fabric that an array or a FIFO may lie in."""

from enum import Enum


class Storage(Enum):
    """Spelt as the `impl` of Vitis HLS's BIND_STORAGE (AMD UG1399)."""

    SRL = "srl"
    """Shift registers in LUTs: FIFOs only."""
    LUTRAM = "lutram"
    BRAM = "bram"
    URAM = "uram"
