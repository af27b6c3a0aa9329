"""Selects and repeats a value's elements by the rows of the matrix that they come from."""

from dataclasses import fields, replace
from typing import TYPE_CHECKING

from stbuild.ir.derived import Rows
from stbuild.ir.op import Op
from stbuild.ops.add import Add
from stbuild.ops.add_param import AddParam
from stbuild.ops.affine import Affine
from stbuild.ops.concat import Concat
from stbuild.ops.linear import Linear
from stbuild.ops.map import Map
from stbuild.ops.mul import Mul
from stbuild.ops.mul_param import MulParam
from stbuild.ops.slice import Slice

if TYPE_CHECKING:
    from stbuild.frontend.builder import Builder

_COMMON = ("name", "width", "frac", "origin", "line")


def with_rows(builder: "Builder", source: str, rows: Rows) -> str | None:
    """The value whose elements are the `rows` of the value `source`; None if it does not come from a matrix.

    Ops work element by element, so all between the matrix and `source` are made again.
    """
    op = builder.op(source)
    if rows == Rows(start=0, count=op.width):
        return source
    here = builder.place
    builder.place = replace(here, module=op.origin, line=op.line or None)
    try:
        return _made(builder, op, rows)
    finally:
        builder.place = here


def _made(builder: "Builder", op: Op, rows: Rows) -> str | None:
    taken = builder.derivations.rows
    match op:
        case Linear():
            return _again(builder, op, rows, weight=taken(op.weight, rows))
        case AddParam() | MulParam():
            return _again(builder, op, rows, param=taken(op.param, rows))
        case Map() | Affine() | Add() | Mul():
            return _again(builder, op, rows)
        case Slice():
            return with_rows(builder, op.x, replace(rows, start=rows.start + op.start))
    if (rows.start, rows.count, rows.repeat) == (0, op.width, 1) and op.width % 16 == 0:
        return builder.emit(Concat, rows.total, parts=(op.name,) * rows.tile).source
    return None


def _again(builder: "Builder", op: Op, rows: Rows, **params: object) -> str | None:
    """A copy of `op` for these `rows`: it reads the rows of its operands; a matrix keeps its operand."""
    wires = () if isinstance(op, Linear) else tuple(n for n in ("x", "a", "b") if hasattr(op, n))
    read = {wire: with_rows(builder, getattr(op, wire), rows) for wire in wires}
    if None in read.values():
        return None
    known = {f.name: getattr(op, f.name) for f in fields(op) if f.name not in _COMMON}
    return builder.emit(type(op), rows.total, **{**known, **read, **params}).source
