"""What an attention mask says: a causal window, perhaps with a bias by distance (ALiBi) for each head."""

from dataclasses import dataclass

import torch
from torch import Tensor

from stbuild.errors import StbuildError
from stbuild.frontend.source_location import SourceLocation

HIDDEN = -1e4
"""A score that is this low, or lower, after the mask has no weight."""
_BIAS_ERROR = 2.0**-8
"""How far a bias may be from a straight line, of the largest: that of slopes or products in bfloat16."""


@dataclass(frozen=True, kw_only=True)
class MaskForm:
    """A query sees the last `window` positions; a score loses `slopes[head]` for each position between."""

    window: int
    slopes: tuple[float, ...] = ()


def form_of(mask: Tensor, own: int, place: SourceLocation) -> MaskForm:
    """The form of a mask [..., tokens, context] by the row of its last token, which stands at `own`.

    `place` is the operator that reads it. Raises StbuildError if the row is of no known form; `check_mask`
    tells whether the others agree.
    """
    row = _rows(mask)[:, -1]
    shown = _shown(row)
    window = int(shown[0].sum())
    if window == 0 or bool((shown != shown[0]).any()):
        raise _other_positions(own, 0, place)
    distance = own - torch.arange(row.shape[-1])
    slopes = -_bias(row, shown, own) @ distance.double() / max(1, int((distance * distance)[shown[0]].sum()))
    biased = bool((slopes != 0).any())
    return MaskForm(window=window, slopes=tuple(map(float, slopes)) if biased else ())


def check_mask(mask: Tensor, form: MaskForm, position: int, place: SourceLocation) -> None:
    """Refuse a mask [..., tokens, context] of tokens from `position` on that is not of the form."""
    rows = _rows(mask)
    keys = torch.arange(rows.shape[-1])
    for token in range(rows.shape[1]):
        own = position + token
        first = max(0, own + 1 - form.window)
        shown = _shown(rows[:, token])
        if bool((shown != ((keys >= first) & (keys <= own))).any()):
            raise _other_positions(own, first, place)
        bias = _bias(rows[:, token], shown, own)
        slopes = torch.tensor(form.slopes or [0.0], dtype=torch.float64)
        line = torch.where(shown, slopes[:, None] * (keys - own), 0.0)
        if bool(((bias - line).abs() > _BIAS_ERROR * line.abs().amax(-1, keepdim=True)).any()):
            raise place.error(
                f"at position {own} the attention mask adds numbers to scores that do not fall with distance"
                " in a straight line",
                hint="of position biases only ALiBi has a lowering",
            )


def _rows(mask: Tensor) -> Tensor:
    """A mask as [heads or 1, tokens, context]."""
    return mask.reshape(-1, *mask.shape[-2:])


def _shown(row: Tensor) -> Tensor:
    return row if row.dtype == torch.bool else row > HIDDEN


def _bias(row: Tensor, shown: Tensor, own: int) -> Tensor:
    """What is added to the scores shown [heads, context], less what the query's own position gets."""
    if row.dtype == torch.bool:
        return torch.zeros(row.shape, dtype=torch.float64)
    values = row.double()
    return torch.where(shown, values - values[:, own : own + 1], 0.0)


def _other_positions(own: int, first: int, place: SourceLocation) -> StbuildError:
    return place.error(
        f"at position {own} attention does not look at just the positions {first} to {own}",
        hint="causal masks and sliding windows have a lowering; others have none",
    )
