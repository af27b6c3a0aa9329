"""The schedule of an engine: what its lanes multiply, one op behind the other, in every run of a block."""

from collections.abc import Iterator
from dataclasses import dataclass

from stbuild.ir.kv import KvHeads
from stbuild.ir.packed import MatrixForm
from stbuild.ir.param import Param
from stbuild.ir.types import words_of


@dataclass(frozen=True, kw_only=True)
class MatmulOp:
    """One linear op on an engine, in every run of its block.

    `source` counts the vectors that the engine's router takes, `destination` the results that it gives.
    """

    name: str
    engine: int = 0
    block: int
    weight: Param
    rows: int
    cols: int
    bits: int
    group: int
    zero_points: bool = False
    source: int
    destination: int
    load: bool
    base: int
    frac_in: int
    frac_out: int

    @property
    def form(self) -> MatrixForm:
        """The number format of its matrix."""
        return MatrixForm(bits=self.bits, group=self.group, zero_points=self.zero_points)

    @property
    def tiles(self) -> int:
        """Tiles of 16 rows; the last may have rows of zeros."""
        return words_of(self.rows)

    @property
    def tile_words(self) -> int:
        """Words of one tile: a header and the values for each group."""
        return self.cols // self.group * (1 + self.group_words)

    @property
    def group_words(self) -> int:
        """Words of a weight group's values."""
        return self.bits // 4 * self.group // 8

    def tiles_in(self, channel: int, channels: int) -> int:
        """How many of its tiles lie in `channel`."""
        first = (channel - self.base) % channels
        return max(0, -(-(self.tiles - first) // channels))


@dataclass(frozen=True, kw_only=True)
class KvMatmul:
    """The queries of an attention op by the keys in the cache, and the softmax's weights by the values.

    Sources and destinations count as those of a `MatmulOp`: queries and weights go to the engine, products
    and sums come back.
    """

    name: str
    engine: int = 0
    block: int
    heads: KvHeads
    queries: int
    products: int
    weights: int
    sums: int


EngineOps = tuple["MatmulOp | KvMatmul", ...]


def op_sets(ops: EngineOps) -> Iterator[EngineOps]:
    """`ops` of one block by what the engine gets together: linear ops that read one vector; attention."""
    members: list[MatmulOp | KvMatmul] = []
    for op in ops:
        if members and not (isinstance(op, MatmulOp) and not op.load):
            yield tuple(members)
            members = []
        members.append(op)
    if members:
        yield tuple(members)
