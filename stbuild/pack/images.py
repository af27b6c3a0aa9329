"""The memory images of a design: weights, descriptors, parameters and rows in the order of their use."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from stbuild.errors import StbuildError
from stbuild.ir.design import Design
from stbuild.ir.engine import Engine
from stbuild.ir.exponent import fixed_scales
from stbuild.ir.fixed import TABLE_FRAC, param_fixed, to_fixed
from stbuild.ir.kv import KvPart
from stbuild.ir.packed import PackedMatrix
from stbuild.ir.param import FixedParam, PositionTable
from stbuild.ir.plumbing import ReadParams, RowRead, Sequence
from stbuild.ir.schedule import EngineOps, KvMatmul, MatmulOp, op_sets
from stbuild.ir.tensors import Tensors
from stbuild.ir.types import GROUP, LANES
from stbuild.pack.tiles import Words, tile_words

OPCODE_LINEAR, OPCODE_END = 1, 0
KINDS = {KvPart.KEYS: 1, KvPart.VALUES: 2}
ZERO_POINTS = 3
"""Lane 14 of a descriptor; 0 for a linear op whose headers hold minima."""
SCALE_FRAC = 19
"""Fraction bits that the activation scales and the sum bring: docs/numerics.md, Linear."""
ROWS_AT_ONCE = 1024
TABLE_LIMIT = 8.0
"""Entries of position tables are below it: rotary.hpp takes 18 bits of them, 14 of them fraction bits."""

Put = Callable[[str, NDArray[np.generic]], None]
"""Appends words to the region of a name."""


def write_memory(
    design: Design, tensors: Tensors, tables: Mapping[str, NDArray[np.float32]], put: Put
) -> None:
    """Hand every constant region's words to `put`, one matrix at a time; `tables` by their names."""
    exponents = write_weights(design, tensors, put)
    for process in design.processes:
        match process.op:
            case Sequence():
                for engine, region in enumerate(process.op.programs):
                    put(region, program_words(design, engine, exponents))
                write_rows(process.op, tensors, tables, put)
            case ReadParams():
                write_params(process.op, design, tensors, put)


def launch_order(design: Design) -> Iterator[tuple[MatmulOp | KvMatmul, int]]:
    """Every op of a launch with the run of its block: blocks in order, the head's last."""
    return ((op, run) for ops, run in _launch_sets(design) for op in ops)


def _launch_sets(design: Design) -> Iterator[tuple[EngineOps, int]]:
    for head in (False, True):
        for number, block in enumerate(design.blocks):
            if block.head == head:
                sets = tuple(op_sets(tuple(op for op in design.schedule if op.block == number)))
                yield from ((ops, run) for run in range(block.count) for ops in sets)


def write_weights(design: Design, tensors: Tensors, put: Put) -> tuple[int, ...]:
    """Weight tiles of every channel in the order of use; returns the exponents B in launch order.

    A channel without tiles gets one word of zeros, since a buffer cannot be empty.
    """
    readers = [design.channels(engine) for engine in range(len(design.engines))]
    exponents = []
    for op, run in launch_order(design):
        if isinstance(op, KvMatmul):
            continue
        matrix = _matrix(op, tensors.matrix(op.weight.names[run]), run)
        exponents.append(fixed_scales(matrix).exponent)
        tiles = matrix.with_rows(op.tiles * LANES)
        channels = design.engines[op.engine].channels
        for reader in readers[op.engine]:
            put(reader.region, tile_words(tiles, (reader.channel - op.base) % channels, channels))
    for number, engine in enumerate(design.engines):
        for reader in readers[number]:
            if not _has_tiles(design, number, engine, reader.channel):
                put(reader.region, np.zeros((1, LANES), np.uint32))
    return tuple(exponents)


def _has_tiles(design: Design, number: int, engine: Engine, channel: int) -> bool:
    ops = (op for op in design.matmuls if op.engine == number)
    return any(op.tiles_in(channel, engine.channels) for op in ops)


def program_words(design: Design, engine: int, exponents: tuple[int, ...]) -> Words:
    """The descriptors of `engine` and the end; `exponents` are those of all linear ops in launch order."""
    linear = (op_run for op_run in launch_order(design) if isinstance(op_run[0], MatmulOp))
    exponent = {(op.block, op.name, run): b for (op, run), b in zip(linear, exponents, strict=True)}
    rows = list[NDArray[np.int32]]()
    for ops, run in _launch_sets(design):
        if ops[0].engine == engine:
            rows += _descriptors(ops, run, design, exponent)
    rows.append(_descriptor(OPCODE_END))
    return np.stack(rows).view(np.uint32)


def _descriptors(
    ops: EngineOps, run: int, design: Design, exponents: Mapping[tuple[int, str, int], int]
) -> Iterator[NDArray[np.int32]]:
    """Of ops that share a vector, all of them for each batch of a launch; those of attention head by head."""
    if isinstance(ops[0], KvMatmul):
        yield from (_cached(ops[0], part, head, run, design) for part, head in ops[0].heads.order())
        return
    for first in design.first_tokens(ops[0]):
        for op in ops:
            assert isinstance(op, MatmulOp)
            exponent = exponents[op.block, op.name, run]
            yield _linear(op, exponent, design.blocks[op.block].head, first)


def _descriptor(*lanes: int) -> NDArray[np.int32]:
    word = np.zeros(LANES, np.int32)
    word[: len(lanes)] = lanes
    return word


def _linear(op: MatmulOp, exponent: int, head: bool, first: int) -> NDArray[np.int32]:
    shift = exponent + SCALE_FRAC + op.frac_in - op.frac_out
    return _descriptor(
        OPCODE_LINEAR, op.cols // GROUP, op.group // GROUP, op.bits // 4, op.tiles, op.base, op.load,
        op.source, op.destination, shift, head, first, 0, exponent, ZERO_POINTS if op.zero_points else 0,
    )  # fmt: skip


def _cached(op: KvMatmul, part: KvPart, head: int, run: int, design: Design) -> NDArray[np.int32]:
    """A head's keys or values: what depends on the position is 0 here, and filled in by the sequencer."""
    keys = part is KvPart.KEYS
    source, destination = (op.queries, op.products) if keys else (op.weights, op.sums)
    groups, tiles = (op.heads.groups, 0) if keys else (0, op.heads.value_tiles)
    window = op.heads.windows[run] if op.heads.windows else 0
    return _descriptor(
        OPCODE_LINEAR, groups, 1, 2, tiles, design.layout(op).base(part, head), True,
        source, destination, op.heads.rows(part), 0, 0, 0, 0, KINDS[part], window,
    )  # fmt: skip


def write_params(op: ReadParams, design: Design, tensors: Tensors, put: Put) -> None:
    """Parameters in the order of their use: block, run, read, parameter."""
    for number, block in enumerate(design.blocks):
        reads = [read for read in op.reads if read.block == number]
        for run in range(block.count):
            for fixed in (fixed for read in reads for fixed in read.params):
                values = tensors.array(fixed.param.names[run])
                put(op.region, _whole_words(param_fixed(fixed.param, values, fixed.frac)))


def write_rows(op: Sequence, tensors: Tensors, tables: Mapping[str, NDArray[np.float32]], put: Put) -> None:
    """Embedding rows by token, position rows and tables by position, [table][rows][width/16] words."""
    for read in op.rows:
        if isinstance(read.values, FixedParam):
            _write_embedding(read, read.values, tensors, put)
        else:
            put(read.region, _table_words(tables[read.values.name], read.values, read.rows))


def _write_embedding(read: RowRead, fixed: FixedParam, tensors: Tensors, put: Put) -> None:
    for name in read.tables:
        for start in range(read.first, read.first + read.rows, ROWS_AT_ONCE):
            stop = min(start + ROWS_AT_ONCE, read.first + read.rows)
            put(
                read.region,
                param_fixed(fixed.param, tensors.rows(name, start, stop), fixed.frac).reshape(-1, LANES),
            )


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
    largest = float(np.abs(values).max(initial=0))
    if largest >= TABLE_LIMIT:
        raise StbuildError(
            f"position table {table.name!r} has entries up to {largest:.3g}, and they must be below 8",
            hint="a rotation scaled by so much is not supported",
        )
    return to_fixed(values, TABLE_FRAC).reshape(-1, LANES)


def _matrix(op: MatmulOp, matrix: PackedMatrix, run: int) -> PackedMatrix:
    found = f"{matrix.rows} x {matrix.cols} of {matrix.form}"
    wanted = f"{op.rows} x {op.cols} of {op.form}"
    if found != wanted:
        raise StbuildError(
            f"weight {op.weight.names[run]!r} is {found}, the design was made for {wanted}",
            hint="partition again with these weights",
        )
    return matrix
