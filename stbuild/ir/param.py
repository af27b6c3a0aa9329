"""What an op takes from the checkpoint, and tables of numbers by position."""

from dataclasses import dataclass
from enum import Enum


class ParamRole(Enum):
    """What a parameter is to its op, and so of what size its numbers usually are."""

    MATRIX = "matrix"
    """Multiplied with a vector, packed in few bits."""
    ROWS = "rows"
    """One row of it is a value."""
    GAIN = "gain"
    """Multiplied element by element, around 1."""
    BIAS = "bias"
    """Added element by element, around 0."""
    OTHER = "other"


@dataclass(frozen=True, kw_only=True)
class Param:
    """A weight of one op: one checkpoint tensor per run of the block; used as `scale * w + offset`.

    `shape` is that of the op's weight; the checkpoint holds its transpose if `transposed`.
    """

    names: tuple[str, ...]
    shape: tuple[int, ...]
    scale: float = 1.0
    offset: float = 0.0
    transposed: bool = False


@dataclass(frozen=True, kw_only=True)
class FixedParam:
    """A parameter of the model as integers with `frac` fraction bits."""

    param: Param
    frac: int


@dataclass(frozen=True, kw_only=True)
class PositionTable:
    """Numbers that depend on the position alone, [context, width]; the values lie beside the graph."""

    name: str
    width: int
