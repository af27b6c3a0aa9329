"""What the lanes of an engine are generated for: widest operand, tokens, smallest weight group."""

from dataclasses import dataclass

from stbuild.ir.design import Design
from stbuild.ir.types import GROUP

ROWS, QUAD = 16, 4
"""Rows of a tile; words with 32 columns of one plane."""
MOST_WORDS = 32
"""Words of values in a weight group at most: 128 columns of 8 bits."""


@dataclass(frozen=True, kw_only=True)
class LaneShape:
    """`columns` of the widest operand, `batch` vectors of which `token_lanes` share a cycle; no weight group
    has fewer than `min_words` words. Headers may hold `zero_points`."""

    columns: int
    batch: int
    token_lanes: int
    min_words: int
    zero_points: bool = False

    @property
    def passes(self) -> int:
        """How often a weight group is used for a whole batch."""
        return -(-self.batch // self.token_lanes)

    @property
    def stored_groups(self) -> int:
        """Groups of 32 activations that a token lane stores."""
        return self.columns // GROUP * self.passes

    @property
    def rows_at_once(self) -> int:
        """Rows that D and M meet in a cycle, so that a weight group has met them when the next one ends."""
        return max(ROWS // self.min_words, 1)

    def __str__(self) -> str:
        return f"{self.columns}, {self.batch}, {self.token_lanes}, {self.min_words}"


def lane_shape(design: Design, engine: int) -> LaneShape:
    """The shape of the lanes of an engine; a design without linear ops has the smallest."""
    ops = [op for op in design.matmuls if op.engine == engine]
    sizes = design.engines[engine]
    return LaneShape(
        columns=max(design.columns(engine), GROUP),
        batch=sizes.batch,
        token_lanes=sizes.token_lanes,
        min_words=min((op.group_words for op in ops), default=MOST_WORDS),
        zero_points=any(op.zero_points for op in ops),
    )
