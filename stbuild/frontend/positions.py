"""Position tables and the check of attention masks, by running what depends on the position."""

import numpy as np
import torch

from stbuild.frontend.call import TableRows, UsedMask
from stbuild.frontend.masks import check_mask
from stbuild.frontend.source_location import SourceLocation
from stbuild.frontend.static import evaluate
from stbuild.frontend.tables import Table


def tabulate(tables: TableRows, masks: tuple[UsedMask, ...], *, context: int) -> dict[str, Table]:
    """For every position the rows of each table side by side, each cos then sin.

    Refuses masks that are not of their form at some position.
    """
    wanted = [(value, row.place) for rows in tables.values() for row in rows for value in (row.cos, row.sin)]
    statics = (*(value for value, _ in wanted), *(used.mask for used in masks))
    columns: list[Table] = []
    for position, values in enumerate(evaluate(statics, context, 1)):
        rows = [_row(value, place) for value, (_, place) in zip(values, wanted, strict=False)]
        if not columns:
            columns = [np.empty((context, row.size), np.float32) for row in rows]
        for column, row in zip(columns, rows, strict=True):
            column[position] = row
        for mask, used in zip(values[len(wanted) :], masks, strict=True):
            check_mask(mask, used.form, position, used.place)
    left = iter(columns)
    return {
        name: np.concatenate([next(left) for _ in rows for _ in ("cos", "sin")], axis=1)
        for name, rows in tables.items()
    }


def _row(value: torch.Tensor, place: SourceLocation) -> Table:
    """The last dimension of a table's value, which must not differ between heads."""
    rows = value.reshape(-1, value.shape[-1])
    if bool((rows != rows[0]).any()):
        raise place.error("the rotary embedding differs between heads, which has no lowering")
    row: Table = rows[0].to(torch.float32).numpy()
    return row
