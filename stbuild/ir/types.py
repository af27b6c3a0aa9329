"""The types of values: fixed-point vectors, quantised vectors, and the itensor that streams them."""

from dataclasses import dataclass
from itertools import product

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


@dataclass(frozen=True, kw_only=True)
class Itensor:
    """An iterative tensor: the order in which the tiles of a tensor pass through a stream.

    `tile` is the element shape; the iteration space has `trips[i]` steps of `steps[i]`; data
    dimension `d` advances with iteration dimension `dims[d]`. An iteration dimension that no data
    dimension names re-reads the tensor. Definition: StreamTensor, MICRO 2025, arXiv 2509.13694.
    """

    tile: tuple[int, ...]
    trips: tuple[int, ...]
    steps: tuple[int, ...]
    dims: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.trips) != len(self.steps):
            raise ValueError(f"{len(self.trips)} trip counts but {len(self.steps)} steps")
        if len(self.dims) != len(self.tile):
            raise ValueError(f"a map of {len(self.dims)} dimensions for a tile of {len(self.tile)}")
        if any(not 0 <= d < len(self.trips) for d in self.dims):
            raise ValueError(f"the map {self.dims} leaves the iteration space of {len(self.trips)}")

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the whole tensor, in elements."""
        return tuple(
            (self.trips[i] - 1) * self.steps[i] + t for i, t in zip(self.dims, self.tile, strict=True)
        )

    def offsets(self) -> tuple[tuple[int, ...], ...]:
        """The data offset of every tile in stream order."""
        points = product(*(range(n) for n in self.trips))
        return tuple(tuple(p[i] * self.steps[i] for i in self.dims) for p in points)
