"""The schedule of the engine, and the sizes that are chosen for a card."""

import pytest

from stbuild.errors import StbuildError
from stbuild.ir.engine import Engine
from stbuild.ir.graph import Graph
from stbuild.ir.schedule import KvMatmul, MatmulOp
from stbuild.passes.schedule import bind_blocks, make_schedule
from stbuild.passes.sizes import SizeOverrides, choose_sizes, largest_engine
from tests.accelerator import platform
from tests.passes.designs import graph_of, index_of
from tests.reference.small import Variant

ENGINES = (Engine(lanes=(3,), token_lanes=1, chunk=4, batch=4),)


def scheduled(graph: Graph, group: int = 32) -> tuple[MatmulOp, ...]:
    """The linear ops of `graph` on one engine, in the order of the schedule."""
    ops = make_schedule(graph, index_of(graph, group), ENGINES, bind_blocks(graph, ENGINES))
    return tuple(op for op in ops if isinstance(op, MatmulOp))


def test_ops_that_read_one_vector_follow_each_other_and_load_it_once() -> None:
    graph = graph_of(Variant(scaled=True, positions=True))
    ops = scheduled(graph)
    assert [(op.name, op.source, op.load) for op in ops[:3]] == [
        ("q", 0, True),
        ("k", 0, False),
        ("v", 0, False),
    ]
    assert [op.destination for op in ops] == sorted({op.destination for op in ops})
    assert [op.source for op in ops] == sorted(op.source for op in ops)


def test_attention_comes_behind_its_operands_and_before_its_readers() -> None:
    graph = graph_of(Variant())
    ops = make_schedule(graph, index_of(graph), ENGINES, bind_blocks(graph, ENGINES))
    names = [op.name for op in ops if op.block == 1]
    (cached,) = (op for op in ops if isinstance(op, KvMatmul))
    at = names.index(cached.name)
    assert {"q", "k", "v"} <= set(names[:at])
    assert "o" in names[at:]


def test_tiles_go_on_where_the_op_before_stopped() -> None:
    graph = graph_of(Variant())
    before = 0
    for op in scheduled(graph):
        assert op.base == before % 3
        before += op.tiles


def test_no_channel_has_more_than_its_share_of_tiles() -> None:
    ops = scheduled(graph_of(Variant()))
    tiles = [sum(op.tiles_in(channel, 3) for op in ops) for channel in range(3)]
    assert max(tiles) - min(tiles) <= 1


def test_every_tile_lies_in_one_channel() -> None:
    graph = graph_of(Variant(scaled=True))
    for op in scheduled(graph):
        assert sum(op.tiles_in(channel, 3) for channel in range(3)) == op.tiles


def test_a_weight_group_that_does_not_divide_the_columns_is_refused() -> None:
    graph = graph_of(Variant())
    with pytest.raises(StbuildError, match=r"has 4 bits in groups of 48"):
        scheduled(graph, group=48)


@pytest.mark.parametrize(("card", "lanes"), [("u55c", (10, 10, 9)), ("u280", (10, 10, 9)), ("vck5000", (4,))])
def test_the_largest_engine_of_a_card(card: str, lanes: tuple[int, ...]) -> None:
    engine = largest_engine(platform(card), SizeOverrides())
    assert engine.lanes == lanes
    assert (engine.token_lanes, engine.chunk) == (8, 32)
    sizes = choose_sizes(graph_of(Variant()), platform(card), (engine,))
    assert (sizes.chunk, sizes.context) == (engine.chunk, 32)


def test_units_need_not_be_equal() -> None:
    assert largest_engine(platform("u55c"), SizeOverrides(channels=5, lanes=2)).lanes == (2, 2, 1)


def test_more_channels_than_ports_are_refused() -> None:
    with pytest.raises(StbuildError, match="40 weight channels are more than u55c can feed"):
        largest_engine(platform("u55c"), SizeOverrides(channels=40))
