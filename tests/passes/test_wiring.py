"""Where the edges of a graph end: at ops, at an engine once, at the bounds of blocks, at tables."""

from dataclasses import replace

import pytest

from stbuild.errors import StbuildError
from stbuild.ir.graph import Graph
from stbuild.passes.wiring import ToBoundary, ToEngine, ToOp, ends_of, head_index, is_gated, quantised_sources
from tests.passes.designs import graph_of
from tests.reference.small import Variant

GRAPH = graph_of(Variant())
EMBED, LAYERS, HEAD = range(3)


def test_the_last_block_is_the_head() -> None:
    assert head_index(GRAPH) == HEAD
    assert [is_gated(GRAPH, block) for block in range(3)] == [False, True, True]


def test_a_head_that_needs_positions_is_refused() -> None:
    layers = replace(GRAPH.blocks[LAYERS], count=1)
    graph = replace(GRAPH, blocks=(GRAPH.blocks[EMBED], layers))
    with pytest.raises(StbuildError, match="must hold only ops on single tokens, but has 'qr'"):
        head_index(graph)


def test_a_value_that_three_linear_ops_read_goes_to_the_engine_once() -> None:
    assert ends_of(GRAPH, LAYERS, "n1_q") == (ToEngine(block=LAYERS, value="n1_q"),)


def test_a_block_s_input_ends_at_its_ops_in_their_order() -> None:
    ends = ends_of(GRAPH, LAYERS, "x")
    assert ends == (ToOp(block=LAYERS, op="n1", slot=0), ToOp(block=LAYERS, op="h", slot=0))


def test_what_enters_or_leaves_a_loop_ends_at_its_boundary() -> None:
    embedded = GRAPH.blocks[EMBED].outputs[0]
    assert ends_of(GRAPH, EMBED, embedded) == (ToBoundary(block=EMBED, slot=0),)
    assert ends_of(GRAPH, LAYERS, "y") == (ToBoundary(block=LAYERS, slot=0),)


def test_a_block_that_runs_once_hands_its_values_straight_on() -> None:
    once = _with_count(GRAPH, 1)
    embedded = once.blocks[EMBED].outputs[0]
    assert ends_of(once, EMBED, embedded) == ends_of(once, LAYERS, "x")


def test_quantised_values_come_in_the_order_of_their_first_reader() -> None:
    assert quantised_sources(GRAPH.blocks[LAYERS]) == ("n1_q", "a_q", "n2_q", "gated_q")


def _with_count(graph: Graph, count: int) -> Graph:
    blocks = tuple(replace(b, count=count) for b in graph.blocks)
    return replace(graph, blocks=blocks)
