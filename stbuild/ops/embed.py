"""Embed: the row of a table at the token's id."""

from dataclasses import dataclass
from typing import ClassVar

from stbuild.ir.op import CheckContext, RowOp
from stbuild.ops.checks import require_width


@dataclass(frozen=True, kw_only=True)
class Embed(RowOp):
    """Row `token` of `table` [vocabulary, width]."""

    by_token: ClassVar[bool] = True

    def check(self, context: CheckContext) -> None:
        """A row is as wide as the value."""
        require_width(self, self.table.shape[1], self.width)
