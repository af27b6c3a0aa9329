"""PositionEmbed: the row of a table at the token's position."""

from dataclasses import dataclass
from typing import ClassVar

from stbuild.ir.op import CheckContext, RowOp
from stbuild.ops.checks import require_width


@dataclass(frozen=True, kw_only=True)
class PositionEmbed(RowOp):
    """Row `position + offset` of `table` [rows, width]."""

    by_token: ClassVar[bool] = False
    by_position: ClassVar[bool] = True

    offset: int = 0

    @property
    def first(self) -> int:
        """The row of position 0."""
        return self.offset

    def check(self, context: CheckContext) -> None:
        """A row is as wide as the value."""
        require_width(self, self.table.shape[1], self.width)
