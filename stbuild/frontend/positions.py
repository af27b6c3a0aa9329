"""Position tables and the check of attention masks, by running what depends on the position."""

import numpy as np
import torch

from stbuild.errors import StbuildError
from stbuild.frontend.static import evaluate
from stbuild.frontend.tables import Table
from stbuild.frontend.values import Static

HIDDEN = -1e4
"""A score that is this low, or lower, after the mask has no weight."""


def tabulate(
    tables: dict[str, tuple[Static, Static]], masks: tuple[Static, ...], *, context: int
) -> dict[str, Table]:
    """cos and sin side by side for every position; refuses a mask that is not causal."""
    wanted = tuple(s for pair in tables.values() for s in pair)
    columns: list[Table] = []
    for position, values in enumerate(evaluate((*wanted, *masks), context, 1)):
        rows = [_row(value) for value in values[: len(wanted)]]
        if not columns:
            columns = [np.empty((context, row.size), np.float32) for row in rows]
        for column, row in zip(columns, rows, strict=True):
            column[position] = row
        for mask in values[len(wanted) :]:
            check_causal(mask, position, context)
    pairs = {name: (columns[2 * i], columns[2 * i + 1]) for i, name in enumerate(tables)}
    return {name: np.concatenate(pair, axis=1) for name, pair in pairs.items()}


def check_causal(mask: torch.Tensor, position: int, context: int) -> None:
    """Refuse a mask [..., tokens, context] of tokens from `position` on that hides or shows other tokens."""
    tokens = mask.shape[-2]
    allowed = mask if mask.dtype == torch.bool else mask > HIDDEN
    wanted = torch.arange(context)[None, :] <= position + torch.arange(tokens)[:, None]
    if mask.shape[-1] != context or not bool((allowed == wanted).all()):
        raise StbuildError(
            f"at position {position} attention does not look at just the positions 0 to {position}",
            hint="sliding windows and other masks have no lowering; a context within the window has",
        )
    if mask.dtype != torch.bool and bool((mask[allowed.expand(mask.shape)] != 0).any()):
        raise StbuildError(
            f"at position {position} the attention mask adds numbers to scores that it does not hide",
            hint="ALiBi and other position biases have no lowering; rotary embedding has",
        )


def _row(value: torch.Tensor) -> Table:
    """The last dimension of a table's value, which must not differ between heads."""
    rows = value.reshape(-1, value.shape[-1])
    if bool((rows != rows[0]).any()):
        raise StbuildError("the rotary embedding differs between heads, which has no lowering")
    row: Table = rows[0].to(torch.float32).numpy()
    return row
