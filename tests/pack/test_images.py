"""The memory layout against docs/machine.md, read back nibble by nibble."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stbuild.errors import StbuildError
from stbuild.ir.design import BlockRuns, Design, Process, Sizes
from stbuild.ir.engine import Engine
from stbuild.ir.exponent import fixed_scales
from stbuild.ir.packed import PackedMatrix
from stbuild.ir.param import FixedParam, Param, PositionTable
from stbuild.ir.plumbing import ParamRead, ReadParams, ReadWeights, RowRead, Sequence
from stbuild.ir.schedule import MatmulOp
from stbuild.ops.add_param import AddParam
from stbuild.ops.norm import Norm
from stbuild.pack import images
from stbuild.pack.tiles import Words, tile_words


def random_matrix(rows: int, cols: int, bits: int, group: int, seed: int) -> PackedMatrix:
    random = np.random.default_rng(seed)
    scales = (rows, cols // group)
    low, high, kind = (0, 16, np.uint8) if bits == 4 else (-128, 128, np.int8)
    d = random.random(scales).astype(np.float16)
    m = (random.random(scales) - 0.5 if bits == 4 else np.zeros(scales)).astype(np.float16)
    q = random.integers(low, high, (rows, cols), dtype=np.int16).astype(kind)
    return PackedMatrix(rows=rows, cols=cols, group=group, bits=bits, d=d, m=m, q=q)


def zero_point_matrix(rows: int, cols: int, group: int, seed: int) -> PackedMatrix:
    affine = random_matrix(rows, cols, 4, group, seed)
    z = np.random.default_rng(seed).integers(0, 17, affine.d.shape).astype(np.uint8)
    return replace(affine, m=z)


def read_back(words: Words, bits: int, group: int) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
    """q [rows of the tiles, cols] and the headers, straight from the sentences of docs/machine.md."""
    tiles, groups = words.shape[:2]
    q = np.zeros((tiles * 16, groups * group), np.int64)
    data = words.view(np.uint8).reshape(tiles, groups, -1, 64)
    for tile, g, r, c in np.ndindex(tiles, groups, 16, group):
        byte = 4 * r + c % 4
        shift = 0 if c % 8 < 4 else 4
        nibble = int(data[tile, g, 1 + c // 8, byte]) >> shift & 15
        if bits == 8:
            high = int(data[tile, g, 1 + group // 8 + c // 8, byte]) >> shift & 15
            nibble += 16 * (high - 8)
        q[tile * 16 + r, g * group + c] = nibble
    return q, data[:, :, 0].copy().view(np.float16).reshape(tiles, groups, 32)


@settings(max_examples=15, deadline=None)
@given(
    tiles=st.integers(1, 4), groups=st.integers(1, 2), group=st.sampled_from([32, 64, 128]),
    bits=st.sampled_from([4, 8]), seed=st.integers(0, 99),
)  # fmt: skip
def test_tiles_hold_every_value_where_the_machine_reads_it(
    tiles: int, groups: int, group: int, bits: int, seed: int
) -> None:
    matrix = random_matrix(tiles * 16, groups * group, bits, group, seed)
    q, headers = read_back(tile_words(matrix), bits, group)
    assert np.array_equal(q, matrix.q)
    for tile in range(tiles):
        rows = slice(16 * tile, 16 * tile + 16)
        assert np.array_equal(headers[tile, :, :16], matrix.d[rows].T)
        assert np.array_equal(headers[tile, :, 16:], matrix.m[rows].T)


def test_a_header_has_zero_points_in_place_of_minima() -> None:
    matrix = zero_point_matrix(32, 128, 64, 3)
    q, headers = read_back(tile_words(matrix), 4, 64)
    assert np.array_equal(q, matrix.q)
    for tile in range(2):
        rows = slice(16 * tile, 16 * tile + 16)
        assert np.array_equal(headers[tile, :, :16], matrix.d[rows].T)
        assert np.array_equal(headers[tile, :, 16:].copy().view(np.uint16), matrix.m[rows].T)


class FewTensors:
    """A checkpoint in a dictionary."""

    def __init__(self, matrices: dict[str, PackedMatrix], arrays: dict[str, NDArray[np.float32]]) -> None:
        self.matrices, self.arrays = matrices, arrays

    def matrix(self, name: str) -> PackedMatrix:
        return self.matrices[name]

    def array(self, name: str) -> NDArray[np.float32]:
        return self.arrays[name]

    def rows(self, name: str, start: int, stop: int) -> NDArray[np.float32]:
        return self.arrays[name][start:stop]


class Regions(dict[str, list[NDArray[np.generic]]]):
    """Collects what is put, by region."""

    def put(self, region: str, words: NDArray[np.generic]) -> None:
        self.setdefault(region, []).append(words)

    def words(self, region: str) -> NDArray[np.uint32]:
        return np.concatenate([np.ascontiguousarray(w).reshape(-1, 16).view(np.uint32) for w in self[region]])


def op(name: str, block: int, names: tuple[str, ...], rows: int, base: int, load: bool) -> MatmulOp:
    weight = Param(names=names, shape=(rows, 64))
    return MatmulOp(
        name=name, block=block, weight=weight, rows=rows, cols=64, bits=4, group=32, source=block,
        destination=3, load=load, base=base, frac_in=16, frac_out=12,
    )  # fmt: skip


def small_design(channels: int) -> Design:
    ops = (
        op("q", 0, ("q.0", "q.1"), 48, 0, True),
        op("k", 0, ("k.0", "k.1"), 32, 3 % channels, False),
        op("head", 1, ("head",), 64, 0, True),
    )
    sizes = Sizes(chunk=8, context=4, clock_mhz=250)
    engine = Engine(lanes=(1,) * channels, token_lanes=1, chunk=8, batch=8)
    blocks = (BlockRuns(name="layers", count=2, head=False), BlockRuns(name="head", count=1, head=True))
    return Design(
        name="small", platform="u55c", sizes=sizes, engines=(engine,), vocab_size=64, blocks=blocks,
        processes=tuple(reader(c) for c in reversed(range(channels))), streams=(), schedule=ops,
    )  # fmt: skip


def reader(channel: int) -> Process:
    """The process that reads one channel, whose region may be called anything."""
    read = ReadWeights(channel=channel, region=f"bank {channel}", body_words=1, head_words=1)
    return Process(name=f"reader {channel}", kernel="", op=read, block=-1)


def small_tensors() -> FewTensors:
    matrices = {
        name: random_matrix(rows, 64, 4, 32, seed)
        for seed, (name, rows) in enumerate(
            [("q.0", 48), ("k.0", 32), ("q.1", 48), ("k.1", 32), ("head", 64)]
        )
    }
    return FewTensors(matrices, {})


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_channels_hold_the_tiles_in_the_order_of_the_schedule(channels: int) -> None:
    design, tensors, regions = small_design(channels), small_tensors(), Regions()
    exponents = images.write_weights(design, tensors, regions.put)
    wanted: list[list[Words]] = [[] for _ in range(channels)]
    for each, name in zip((0, 1, 0, 1, 2), ("q.0", "k.0", "q.1", "k.1", "head"), strict=True):
        for r, tile in enumerate(tile_words(tensors.matrices[name])):
            wanted[(design.matmuls[each].base + r) % channels].append(tile.reshape(-1, 16))
    for channel in range(channels):
        assert np.array_equal(regions.words(f"bank {channel}"), np.concatenate(wanted[channel]))
    assert exponents == tuple(fixed_scales(m).exponent for m in tensors.matrices.values())


def test_a_channel_without_tiles_holds_one_word() -> None:
    regions = Regions()
    images.write_weights(small_design(7), small_tensors(), regions.put)
    assert [regions.words(f"bank {c}").shape for c in (5, 6)] == [(1, 16)] * 2
    assert all(regions.words(f"bank {c}").any() for c in range(5))


def test_the_program_describes_the_launch() -> None:
    program = images.program_words(small_design(3), 0, (20, 21, 22, 23, 24)).view(np.int32)
    assert program[:, 0].tolist() == [1, 1, 1, 1, 1, 0]
    assert program[1, :11].tolist() == [1, 2, 1, 1, 2, 0, 0, 0, 3, 21 + 19 + 16 - 12, 0]
    assert program[:5, 13].tolist() == [20, 21, 22, 23, 24]
    assert program[4, :11].tolist() == [1, 2, 1, 1, 4, 0, 1, 1, 3, 24 + 19 + 16 - 12, 1]


def test_ops_that_share_a_vector_follow_each_other_for_each_batch() -> None:
    design = small_design(3)
    engine = replace(design.engines[0], batch=3)
    program = images.program_words(replace(design, engines=(engine,)), 0, (20, 21, 22, 23, 24)).view(np.int32)
    layer = [(0, 0), (0, 1), (3, 0), (3, 1), (6, 0), (6, 1)]
    assert program[:12, 11].tolist() == 2 * [first for first, _ in layer]
    assert program[:12, 13].tolist() == [first + keeps for first in (20, 22) for _, keeps in layer]
    assert program[12:, 11].tolist() == [0, 0], "the head sees one token"


def test_the_program_says_which_headers_hold_zero_points() -> None:
    design = small_design(2)
    first, *others = design.matmuls
    made = replace(design, schedule=(replace(first, zero_points=True), *others))
    program = images.program_words(made, 0, (20, 21, 22, 23, 24)).view(np.int32)
    assert program[:, 14].tolist() == [3, 0, 3, 0, 0, 0]
    with pytest.raises(StbuildError, match=r"the design was made for 48 x 64 of 4 bits .* with zero points"):
        images.write_weights(made, small_tensors(), Regions().put)


def test_parameters_lie_in_the_order_of_use() -> None:
    def param(*names: str) -> Param:
        return Param(names=names, shape=(16,))

    norm = Norm(
        name="n", width=16, x="x", segment=16, eps=1e-5, weight=param("w.0", "w.1"), bias=param("b.0", "b.1")
    )
    bias = AddParam(name="y", width=16, frac=12, x="n", param=param("a.0", "a.1"))
    reads = tuple(
        ParamRead(params=tuple(op.fixed_params), block=0, words=op.param_words) for op in (norm, bias)
    )
    arrays = {
        n: np.full(16, i + 1.0, np.float32) for i, n in enumerate(["w.0", "b.0", "a.0", "w.1", "b.1", "a.1"])
    }
    regions = Regions()
    read = ReadParams(region="numbers", reads=reads)
    images.write_params(read, small_design(1), FewTensors({}, arrays), regions.put)
    lanes = regions.words("numbers")[:, 0].tolist()
    assert lanes == [1 << 16, 2 << 16, 3 << 12, 4 << 16, 5 << 16, 6 << 12]


def rows() -> Sequence:
    """An embedding of 5 rows by token, and a position table for 4 positions."""
    embedding = FixedParam(param=Param(names=("t",), shape=(5, 32)), frac=12)
    table = PositionTable(name="rope", width=16)
    return Sequence(
        programs=("p",),
        tokens="t",
        rows=(
            RowRead(region="embedding", block=0, words=2, rows=5, by_token=True, values=embedding),
            RowRead(region="angles", block=0, words=1, rows=4, by_token=False, values=table),
        ),
    )


def test_rows_and_tables() -> None:
    values = np.arange(160, dtype=np.float32).reshape(5, 32)
    tables = {"rope": np.ones((4, 16), np.float32)}
    regions = Regions()
    images.write_rows(rows(), FewTensors({}, {"t": values}), tables, regions.put)
    assert np.array_equal(
        regions.words("embedding").view(np.int32).reshape(5, 32), values.astype(np.int32) << 12
    )
    assert regions.words("angles").shape == (4, 16)
    assert set(regions.words("angles").reshape(-1).tolist()) == {1 << 14}


def test_a_table_that_is_too_short() -> None:
    tables = {"rope": np.ones((3, 16), np.float32)}
    tensors = FewTensors({}, {"t": np.ones((5, 32), np.float32)})
    with pytest.raises(StbuildError, match=r"position table 'rope' is \[3, 16\], the graph says \[4, 16\]"):
        images.write_rows(rows(), tensors, tables, Regions().put)


def test_a_table_whose_entries_do_not_fit_the_multipliers() -> None:
    tables = {"rope": np.full((4, 16), 8.0, np.float32)}
    tensors = FewTensors({}, {"t": np.ones((5, 32), np.float32)})
    with pytest.raises(
        StbuildError, match="position table 'rope' has entries up to 8, and they must be below 8"
    ):
        images.write_rows(rows(), tensors, tables, Regions().put)


def test_weights_of_another_shape() -> None:
    tensors = small_tensors()
    tensors.matrices["k.1"] = random_matrix(16, 64, 4, 32, 0)
    with pytest.raises(
        StbuildError, match=r"weight 'k.1' is 16 x 64 of 4 bits in groups of 32, the design was"
    ):
        images.write_weights(small_design(2), tensors, Regions().put)
