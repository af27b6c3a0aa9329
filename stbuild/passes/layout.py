"""The layout of memory: weights, descriptors, parameters and rows in the order of their use."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from stbuild.errors import StbuildError
from stbuild.ir.design import Design, MatmulOp
from stbuild.ir.exponent import fixed_scales
from stbuild.ir.fixed import PARAM_FRAC, TABLE_FRAC, param_fixed, to_fixed
from stbuild.ir.graph import (
    AddParam,
    AnyOp,
    Attention,
    Embed,
    Graph,
    MulParam,
    Norm,
    Param,
    PositionEmbed,
    PositionTable,
)
from stbuild.ir.packed import PackedMatrix
from stbuild.ir.tensors import Tensors
from stbuild.ir.types import GROUP, LANES
from stbuild.passes.records import rows_of

PROGRAM, PARAMS = "program", "params"
OPCODE_LINEAR, OPCODE_END = 1, 0
SCALE_FRAC = 19
"""Fraction bits that the activation scales and the sum bring: docs/numerics.md, Linear."""
ROWS_AT_ONCE = 1024
NIBBLES, SIGNS = np.uint32(0x0F0F0F0F), np.uint32(0x80808080)

Words = NDArray[np.uint32]
"""Memory words: [..., 16] lanes of 32 bits."""
Put = Callable[[str, NDArray[np.generic]], None]
"""Appends words to the region of a name."""


def weights_region(channel: int) -> str:
    """The region of one weight channel."""
    return f"weights_{channel}"


def write_memory(
    graph: Graph, design: Design, tensors: Tensors, tables: Mapping[str, NDArray[np.float32]], put: Put
) -> None:
    """Hand every constant region's words to `put`, one matrix at a time; `tables` by their names."""
    put(PROGRAM, program_words(design, write_weights(design, tensors, put)))
    write_params(graph, tensors, put)
    write_rows(graph, tensors, tables, put)


def launch_order(design: Design) -> Iterator[tuple[MatmulOp, int]]:
    """Every linear op of a launch with the run of its block: blocks in order, the head's last."""
    for head in (False, True):
        for number, block in enumerate(design.blocks):
            if block.head == head:
                ops = [op for op in design.matmuls if op.block == number]
                yield from ((op, run) for run in range(block.count) for op in ops)


def write_weights(design: Design, tensors: Tensors, put: Put) -> tuple[int, ...]:
    """Weight tiles of every channel in the order of use; returns the exponents B in launch order.

    A channel without tiles gets one word of zeros, since a buffer cannot be empty.
    """
    exponents = []
    for op, run in launch_order(design):
        matrix = _matrix(op, tensors.matrix(op.weight.names[run]), run)
        exponents.append(fixed_scales(matrix).exponent)
        tiles = matrix.with_rows(op.tiles * LANES)
        for channel in range(design.sizes.channels):
            words = tile_words(tiles, (channel - op.base) % design.sizes.channels, design.sizes.channels)
            put(weights_region(channel), words)
    for channel in range(design.sizes.channels):
        if not any(op.tiles_in(channel, design.sizes.channels) for op in design.matmuls):
            put(weights_region(channel), np.zeros((1, LANES), np.uint32))
    return tuple(exponents)


def tile_words(matrix: PackedMatrix, first: int = 0, step: int = 1) -> Words:
    """Tiles `first`, `first + step`, ... as [tiles, groups, words of a group, 16].

    Byte 4r + (c mod 4) of a word holds column c of 8 of row r, in its low nibble if c < 4.
    """
    groups, planes = matrix.cols // matrix.group, matrix.bits // 4
    halves = matrix.q.view(np.uint32).reshape(-1, LANES, groups, matrix.group // 8, 2)[first::step]
    words = np.empty((len(halves), groups, 1 + planes * matrix.group // 8, LANES), np.uint32)
    words[:, :, 0, :8] = _header(matrix.d, first, step)
    words[:, :, 0, 8:] = _header(matrix.m, first, step)
    for plane, (low, high) in enumerate(_planes(halves, matrix.bits)):
        start = 1 + plane * matrix.group // 8
        high <<= 4
        high |= low
        words[:, :, start : start + matrix.group // 8] = high.transpose(0, 2, 3, 1)
    return words


def program_words(design: Design, exponents: tuple[int, ...]) -> Words:
    """The descriptors of a launch and the end word; `exponents` in launch order."""
    order = list(launch_order(design))
    words = np.zeros((len(order) + 1, LANES), np.int32)
    for row, (op, _), exponent in zip(words, order, exponents, strict=False):
        row[:11] = (
            OPCODE_LINEAR, op.cols // GROUP, op.group // GROUP, op.bits // 4, op.tiles, op.base, op.load,
            op.source, op.destination, exponent + SCALE_FRAC + op.frac_in - op.frac_out,
            design.blocks[op.block].head,
        )  # fmt: skip
        row[13] = exponent
    words[-1, 0] = OPCODE_END
    return words.view(np.uint32)


def write_params(graph: Graph, tensors: Tensors, put: Put) -> None:
    """Parameters in the order of their use: block, run, op, parameter."""
    for block in graph.blocks:
        for run in range(block.count):
            for op in block.ops:
                for param, frac in op_params(op):
                    values = tensors.array(param.names[run])
                    put(PARAMS, _whole_words(param_fixed(param, values, frac)))


def op_params(op: AnyOp) -> Iterator[tuple[Param, int]]:
    """The parameters that `op` reads from its stream, with their fraction bits."""
    match op:
        case Norm():
            yield from ((param, PARAM_FRAC) for param in (op.weight, op.bias) if param is not None)
        case AddParam():
            yield op.param, op.frac
        case MulParam():
            yield op.param, PARAM_FRAC
        case Attention(sinks=Param() as sinks):
            yield sinks, PARAM_FRAC


def write_rows(graph: Graph, tensors: Tensors, tables: Mapping[str, NDArray[np.float32]], put: Put) -> None:
    """Embedding rows by token, position rows and position tables by position, [rows][width/16] words."""
    for block in graph.blocks:
        for op in block.ops:
            if isinstance(op, Embed | PositionEmbed):
                _write_embedding(f"{block.name}_{op.name}", op, rows_of(op, graph), tensors, put)
    for table in graph.tables:
        put(table.name, _table_words(tables[table.name], table, graph.context))


def _write_embedding(region: str, op: Embed | PositionEmbed, rows: range, tensors: Tensors, put: Put) -> None:
    for start in range(rows.start, rows.stop, ROWS_AT_ONCE):
        values = tensors.rows(op.table.names[0], start, min(start + ROWS_AT_ONCE, rows.stop))
        put(region, param_fixed(op.table, values, op.frac).reshape(-1, LANES))


def _whole_words(values: NDArray[np.int32]) -> NDArray[np.int32]:
    """A vector as words, zeros behind it."""
    flat = values.reshape(-1)
    return np.pad(flat, (0, -len(flat) % LANES)).reshape(-1, LANES)


def _table_words(values: NDArray[np.float32], table: PositionTable, context: int) -> NDArray[np.int32]:
    if values.shape != (context, table.width):
        raise StbuildError(
            f"position table {table.name!r} is {list(values.shape)}, the graph says {[context, table.width]}",
            hint="trace the model again",
        )
    return to_fixed(values, TABLE_FRAC).reshape(-1, LANES)


def _matrix(op: MatmulOp, matrix: PackedMatrix, run: int) -> PackedMatrix:
    found = (matrix.rows, matrix.cols, matrix.bits, matrix.group)
    wanted = (op.rows, op.cols, op.bits, op.group)
    if found != wanted:
        raise StbuildError(
            f"weight {op.weight.names[run]!r} is (rows, cols, bits, group) {found}, "
            f"the design was made for {wanted}",
            hint="partition again with these weights",
        )
    return matrix


def _header(scales: NDArray[np.float16], first: int, step: int) -> Words:
    tiles = scales.reshape(-1, LANES, scales.shape[1])[first::step]
    return np.ascontiguousarray(tiles.transpose(0, 2, 1)).view(np.uint32)


def _planes(halves: Words, bits: int) -> Iterator[tuple[Words, Words]]:
    """Per nibble plane, columns 0 to 3 and (a copy of) columns 4 to 7, one nibble a byte."""
    low, high = halves[..., 0], halves[..., 1]
    if bits == 4:
        yield low, high.copy()
        return
    yield low & NIBBLES, high & NIBBLES
    yield (low ^ SIGNS) >> np.uint32(4) & NIBBLES, (high ^ SIGNS) >> np.uint32(4) & NIBBLES
