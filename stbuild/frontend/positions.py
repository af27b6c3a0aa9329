"""Position tables and the check of attention masks, by running what depends on the position."""

import numpy as np
import torch

from stbuild.errors import StbuildError
from stbuild.frontend.call import Masks, TableRows
from stbuild.frontend.masks import check_mask
from stbuild.frontend.static import evaluate
from stbuild.frontend.tables import Table


def tabulate(tables: TableRows, masks: Masks, *, context: int) -> dict[str, Table]:
    """For every position the rows of each table side by side, each cos then sin.

    Refuses masks that are not of their form at some position.
    """
    wanted = tuple(s for rows in tables.values() for pair in rows for s in pair)
    statics = tuple(mask for mask, _ in masks)
    columns: list[Table] = []
    for position, values in enumerate(evaluate((*wanted, *statics), context, 1)):
        rows = [_row(value) for value in values[: len(wanted)]]
        if not columns:
            columns = [np.empty((context, row.size), np.float32) for row in rows]
        for column, row in zip(columns, rows, strict=True):
            column[position] = row
        for mask, (_, form) in zip(values[len(wanted) :], masks, strict=True):
            check_mask(mask, form, position)
    left = iter(columns)
    return {
        name: np.concatenate([next(left) for pair in rows for _ in pair], axis=1)
        for name, rows in tables.items()
    }


def _row(value: torch.Tensor) -> Table:
    """The last dimension of a table's value, which must not differ between heads."""
    rows = value.reshape(-1, value.shape[-1])
    if bool((rows != rows[0]).any()):
        raise StbuildError("the rotary embedding differs between heads, which has no lowering")
    row: Table = rows[0].to(torch.float32).numpy()
    return row
