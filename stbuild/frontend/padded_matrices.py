"""Matrices with zeros between their rows and columns, in few bits: rounded so, or as stored."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stbuild.errors import StbuildError
from stbuild.frontend.untyped import AnyArray
from stbuild.frontend.weights import group_for, rounded
from stbuild.ir.derived import Derived
from stbuild.ir.gaps import elements, spread
from stbuild.ir.packed import MatrixForm, PackedMatrix
from stbuild.limits import GROUPS


def padded_floats(values: NDArray[np.float32], made: Derived) -> NDArray[np.float32]:
    """A vector or a matrix [rows, columns] with the zeros of `made`."""
    rows = spread(values, made.row_gaps)
    return spread(rows, made.column_gaps, axis=1) if made.column_gaps else rows


def rounded_form(form: MatrixForm, made: Derived) -> MatrixForm:
    """How floats of the format `form` are rounded once they are padded."""
    return replace(form, group=group_for(made.shape[1], form.group))


def padded_and_rounded(values: NDArray[np.float32], made: Derived, form: MatrixForm) -> PackedMatrix:
    """A matrix of floats [rows, columns] with the zeros of `made`, then rounded."""
    return rounded(padded_floats(values, made), rounded_form(form, made))


def stored_form(form: MatrixForm, made: Derived) -> MatrixForm:
    """The format of a matrix that is stored as `form` and keeps its numbers; raises StbuildError if none can.

    Each of the card's groups must lie in one of the stored ones, whose scale it keeps.
    """
    columns = elements(made.shapes[0][1], made.column_gaps)
    fitting = [g for g in GROUPS if columns.size % g == 0 and g <= form.group and _keeps(columns, g, form)]
    if not fitting:
        raise StbuildError(
            f"the matrix {made.sources[0]!r} is stored in groups of {form.group} columns, which its parts,"
            " padded to whole groups of the card, do not keep",
            hint="give the unquantised checkpoint, which is rounded in the card's groups",
        )
    return replace(form, group=max(fitting))


def padded_as_stored(packed: PackedMatrix, made: Derived) -> PackedMatrix:
    """`packed` with the zeros of `made`: rows of zeros, and columns of any number, which meet zeros."""
    group = stored_form(packed.form, made).group
    columns = elements(packed.cols, made.column_gaps)
    scales = columns.reshape(-1, group).max(axis=1) // packed.group
    rows = elements(packed.rows, made.row_gaps)
    d, m = (_taken(part, rows, scales) for part in (packed.d, packed.m))
    return PackedMatrix(
        rows=rows.size, cols=columns.size, group=group, bits=packed.bits,
        d=d, m=m, q=_taken(packed.q, rows, columns),
    )  # fmt: skip


def without_columns(values: NDArray[np.float32], made: Derived) -> NDArray[np.float32]:
    """The columns of a padded matrix that have elements."""
    kept = elements(made.shapes[0][1], made.column_gaps) >= 0
    return np.ascontiguousarray(values[:, kept])


def _taken(part: AnyArray, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> AnyArray:
    """Rows and columns by their numbers, zeros for -1."""
    found = part[rows][:, columns]
    found[rows < 0] = 0
    found[:, columns < 0] = 0
    return np.ascontiguousarray(found)


def _keeps(columns: NDArray[np.int64], group: int, form: MatrixForm) -> bool:
    """Whether the elements of each group of the card lie in one stored group."""
    stored = np.where(columns < 0, -1, columns // form.group).reshape(-1, group)
    most = stored.max(axis=1)
    return bool(((stored == most[:, None]) | (stored < 0)).all())
