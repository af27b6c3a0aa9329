"""Pads the values, parameters and tables of a graph to the words and groups of the card (ADR 0035).

What the model computes stays: zeros stand where no element is, matrices have rows and columns of zeros there,
and norms divide by the number of elements that the model has. A graph that needs no zeros stays as it is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from stbuild.frontend.padded_layout import Key, Layouts, layouts_of
from stbuild.frontend.tables import Table
from stbuild.ir.derived import Derived
from stbuild.ir.gaps import Gaps, PaddedValue, elements, zeros_in
from stbuild.ir.graph import Block, Graph
from stbuild.ir.op import Op, RowOp
from stbuild.ir.param import Param
from stbuild.ir.unique import UniqueNames
from stbuild.ops.add import Add
from stbuild.ops.add_param import AddParam
from stbuild.ops.affine import Affine
from stbuild.ops.attention import Attention
from stbuild.ops.linear import Linear
from stbuild.ops.map import Map
from stbuild.ops.mul import Mul
from stbuild.ops.mul_param import MulParam
from stbuild.ops.norm import Norm
from stbuild.ops.rotary import Rotary
from stbuild.ops.slice import Slice

MIDDLE = 128
"""The sample of a function at 0."""


def padded_graph(graph: Graph) -> Graph:
    """`graph` with zeros where the card needs them."""
    layouts = layouts_of(graph)
    return graph if layouts is None else _Padding(graph=graph, layouts=layouts).padded()


def padded_tables(tables: Mapping[str, Table], graph: Graph) -> dict[str, Table]:
    """The position tables of a model whose padded graph is `graph`."""
    places = {
        op.table: rotated_places(graph, block, op)
        for block in graph.blocks
        for op in block.ops
        if isinstance(op, Rotary)
    }
    return {name: _spread_rows(table, places[name]) if name in places else table
            for name, table in tables.items()}  # fmt: skip


def rotated_places(graph: Graph, block: Block, op: Rotary) -> NDArray[np.int64]:
    """For each place of a head's rotated part the element that stands there; -1 is a zero."""
    padded = graph.padded_value(block.name, op.name)
    return elements(padded.size, padded.gaps)[: op.rotary_dim] if padded else np.arange(op.rotary_dim)


def _spread_rows(table: Table, places: NDArray[np.int64]) -> Table:
    """Each row's cosines and sines with zeros between them."""
    size = int((places >= 0).sum())
    if size == places.size:
        return table
    parts = table.reshape(len(table), -1, size)[:, :, places]
    spread: Table = np.where(places < 0, np.float32(0), parts)
    return np.ascontiguousarray(spread.reshape(len(table), -1))


@dataclass(kw_only=True)
class _Padding:
    """The padded graph in the making; `derived` are the padded tensors, by what they are made of."""

    graph: Graph
    layouts: Layouts
    derived: dict[tuple[object, ...], Derived] = field(default_factory=dict)
    widths: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = {d.name for d in self.graph.derived} | {
            n for b in self.graph.blocks for op in b.ops for _, p in op.params for n in p.names
        }
        self._names = UniqueNames(known)

    def padded(self) -> Graph:
        """The whole graph; the padded tensors stand in front of those that they are made of."""
        self.widths = {table.name: table.width for table in self.graph.tables}
        blocks = tuple(self._block(number, block) for number, block in enumerate(self.graph.blocks))
        tables = tuple(replace(table, width=self.widths[table.name]) for table in self.graph.tables)
        return replace(
            self.graph, blocks=blocks, tables=tables, padding=tuple(self._padded_values()),
            derived=(*self.derived.values(), *self.graph.derived),
        )  # fmt: skip

    def _padded_values(self) -> Iterator[PaddedValue]:
        for number, block in enumerate(self.graph.blocks):
            for op in block.ops:
                if gaps := self.layouts.gaps((number, op.name)):
                    yield PaddedValue(block=block.name, value=op.name, size=op.width, gaps=gaps)

    def _block(self, number: int, block: Block) -> Block:
        made = _PaddedBlock(padding=self, number=number, block=block)
        for op in block.ops:
            made.add(op)
        outputs = tuple(made.clean(name) for name in block.outputs)
        return replace(block, ops=tuple(made.ops), outputs=outputs)

    def op(self, number: int, op: Op) -> Op:
        """`op` at its padded size."""
        key = (number, op.name)
        op = replace(op, width=self.layouts.place(key, op.width))
        gaps = self.layouts.gaps(key)
        match op:
            case Linear():
                columns = self.layouts.gaps((number, op.x))
                return replace(op, weight=self.param(op.weight, gaps, columns))
            case AddParam() | MulParam():
                return replace(op, param=self.param(op.param, gaps))
            case RowOp():
                return replace(op, table=self.param(op.table, (), gaps))
            case Norm():
                return self._norm(key, op)
            case Slice():
                return replace(op, start=self.layouts.place((number, op.x), op.start))
            case Attention():
                return replace(op, head_dim=op.width // op.heads)
            case Rotary():
                return self._rotary(key, op)
        return op

    def param(self, param: Param, rows: Gaps, columns: Gaps = ()) -> Param:
        """`param` with zeros between its rows and its columns; a vector has rows only."""
        if not rows and not columns:
            return param
        sizes = (zeros_in(rows), zeros_in(columns))[: len(param.shape)]
        shape = tuple(n + more for n, more in zip(param.shape, sizes, strict=True))
        names = tuple(self._tensor(name, param.shape, rows, columns) for name in param.names)
        return replace(param, names=names, shape=shape)

    def ones(self, size: int, gaps: Gaps) -> Param:
        """A parameter that is 1 where a value of `size` elements has one, and 0 elsewhere."""
        name = self._tensor("", (size,), gaps, ())
        return Param(names=(name,), shape=(size + zeros_in(gaps),))

    def _tensor(self, name: str, shape: tuple[int, ...], rows: Gaps, columns: Gaps) -> str:
        key = (name, shape, rows, columns)
        if key not in self.derived:
            sources, shapes = ((name,), (shape,)) if name else ((), (shape,))
            self.derived[key] = Derived(
                name=self._names.new(f"{name or 'ones'}.padded"), sources=sources, shapes=shapes,
                row_gaps=rows, column_gaps=columns,
            )  # fmt: skip
        return self.derived[key].name

    def _norm(self, key: Key, op: Norm) -> Norm:
        gaps = tuple(gap for gap in self.layouts.gaps(key) if gap.before <= op.segment)
        if not gaps:
            return op
        if op.center and gaps[0].before < op.segment:
            raise op.fault(
                f"zeros must stand within the {op.segment} elements of a layer norm, not behind them",
                hint="choose rotated parts of a multiple of 8 elements, and joined ones of a multiple of 16",
            )
        weight, bias = (p and self.param(p, gaps) for p in (op.weight, op.bias))
        segment = op.segment + zeros_in(gaps)
        return replace(op, segment=segment, count=op.segment, weight=weight, bias=bias)

    def _rotary(self, key: Key, op: Rotary) -> Rotary:
        zeros = self.layouts.zeros[key]
        half = op.rotary_dim // 2
        inner = zeros[1 : op.rotary_dim].copy()
        if not op.interleaved:
            inner[half - 1] = 0
        if inner.any():
            raise op.fault("another op cuts the elements that it rotates into parts that must be padded")
        if op.interleaved:
            turned = op.rotary_dim + -op.rotary_dim % 8
        else:
            turned = 2 * self.layouts.place(key, half) if zeros[half] else op.rotary_dim
        rows = self.widths_of(op)
        self.widths[op.table] = 2 * turned * rows
        return replace(op, head_dim=op.width // op.heads, rotary_dim=turned)

    def widths_of(self, op: Rotary) -> int:
        """The rows that its table holds side by side."""
        given = next(table.width for table in self.graph.tables if table.name == op.table)
        return given // (2 * op.rotary_dim)


@dataclass(kw_only=True)
class _PaddedBlock:
    """The ops of a block so far; of the values in `unclean` the places without an element are not zeros."""

    padding: _Padding
    number: int
    block: Block
    ops: list[Op] = field(default_factory=list)
    unclean: set[str] = field(default_factory=set)
    cleaned: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._names = UniqueNames({*self.block.inputs, *(op.name for op in self.block.ops)})

    def add(self, op: Op) -> None:
        """`op` at its padded size, behind what cleans its operands if it needs them clean."""
        if isinstance(op, Linear | Norm | Attention):
            op_reads = {name: self.clean(name) for name in op.operands}
            self.ops.append(self.padding.op(self.number, op).reading(op_reads))
        else:
            self.ops.append(self.padding.op(self.number, op))
        has_zeros = bool(self._gaps(op.name))
        if has_zeros and not self._stays_clean(op):
            self.unclean.add(op.name)

    def clean(self, name: str) -> str:
        """The value, or its product with ones where it has elements and zeros where it has none."""
        if name not in self.unclean:
            return name
        if name not in self.cleaned:
            made = self.block.op(name)
            gaps = self._gaps(name)
            ones = self.padding.ones(made.width, gaps)
            self.cleaned[name] = self._names.new(f"{name}_elements")
            self.ops.append(
                MulParam(
                    name=self.cleaned[name], width=ones.shape[0], x=name, origin=made.origin, line=made.line,
                    param=replace(ones, names=ones.names * self.block.count),
                )
            )  # fmt: skip
        return self.cleaned[name]

    def _gaps(self, name: str) -> Gaps:
        return self.padding.layouts.gaps((self.number, name))

    def _stays_clean(self, op: Op) -> bool:
        """Whether an op makes zeros where its operands have no elements."""
        clean = [name not in self.unclean for name in op.operands]
        match op:
            case Mul():
                return any(clean)
            case Add():
                return all(clean)
            case Map():
                return clean[0] and op.samples[MIDDLE] == 0
            case Affine():
                return clean[0] and op.offset == 0
            case AddParam():
                return clean[0] and op.param.offset == 0
            case MulParam():
                return clean[0] or op.param.offset == 0
            case Norm():
                return op.bias is None or op.bias.offset == 0
            case RowOp():
                return op.table.offset == 0
            case Linear() | Attention():
                return True
        return all(clean)
