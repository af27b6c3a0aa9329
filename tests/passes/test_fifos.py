"""FIFO depths follow from what a stream carries and from the way that its words wait for."""

from dataclasses import replace

import pytest

from stbuild.ir.design import Design, Stream, StreamKind
from stbuild.ir.plumbing import Collect, ComputeUnit, Sequence
from stbuild.ops.add import Add
from stbuild.ops.fork import Fork
from stbuild.ops.map import Map
from stbuild.ops.mul import Mul
from stbuild.passes.fifos import (
    AROUND_LANES,
    BURST,
    COLLECTED,
    COMMANDS,
    DESCRIPTORS,
    MARGIN,
    SMALL,
    SizeFifos,
)
from stbuild.passes.numerics import FixNumerics
from stbuild.passes.sizes import SizeOverrides
from tests.network.random_graphs import TINY, random_graph
from tests.passes.designs import design_of, finished, graph_of, network_of
from tests.reference.small import Variant

FULL = Variant(scaled=True, positions=True, head_norm=True, center=True, bias=True)
CHUNKS = (1, 4, 16)


def of_kind(design: Design, *kinds: StreamKind) -> list[Stream]:
    return [s for s in design.streams if s.kind in kinds]


def with_chunk(chunk: int) -> Design:
    return finished(network_of(graph_of(FULL), overrides=SizeOverrides(channels=4, lanes=2, chunk=chunk)))


def residuals(design: Design) -> list[Stream]:
    """What a fork keeps for an addition, while its other copy goes through the engine."""
    op = {p.name: p.op for p in design.processes}
    return [s for s in design.streams if isinstance(op[s.source], Fork) and isinstance(op[s.sink], Add)]


def test_streams_of_the_frame_have_the_depths_of_their_kinds() -> None:
    design = design_of(FULL)
    op = {p.name: p.op for p in design.processes}
    assert {s.depth for s in of_kind(design, StreamKind.COMMAND)} == {COMMANDS}
    assert {s.depth for s in of_kind(design, StreamKind.WEIGHTS, StreamKind.KV_READ)} == {BURST}
    assert {s.depth for s in of_kind(design, StreamKind.KV_WRITE, StreamKind.OUTPUT)} == {SMALL}
    depths: dict[type, int] = {ComputeUnit: SMALL, Collect: COLLECTED}
    for stream in of_kind(design, StreamKind.DESCRIPTOR):
        assert stream.depth == depths.get(type(op[stream.sink]), DESCRIPTORS)


def with_batch(batch: int, wider: int = 1) -> Design:
    """Of an engine of two units; its vectors are so many times wider than the model's."""
    sizes = SizeOverrides(channels=4, lanes=2, chunk=28, batch=batch, token_lanes=1)
    design = network_of(graph_of(FULL), overrides=sizes)
    acts = of_kind(design, StreamKind.ACTIVATIONS)
    streams = (replace(s, words=wider * s.words) if s in acts else s for s in design.streams)
    return SizeFifos()(replace(design, streams=tuple(streams)))


@pytest.mark.parametrize("batch", [1, 14, 28])
def test_a_batch_has_room_around_the_lanes(batch: int) -> None:
    design = with_batch(batch)
    (tiles,) = {p.op.max_tiles for p in design.processes if isinstance(p.op, Collect)}
    vectors, results = of_kind(design, StreamKind.ACTIVATIONS), of_kind(design, StreamKind.TILES)
    assert len(vectors) == len(results) == 2
    assert {s.depth for s in vectors} == {max(SMALL, batch * vectors[0].words)}
    assert {s.depth for s in results} == {max(DESCRIPTORS, batch * -(-tiles // 2))}


def test_what_lies_in_front_of_the_lanes_is_no_deeper_than_eight_brams() -> None:
    design = with_batch(28, wider=8)
    assert {s.depth for s in of_kind(design, StreamKind.ACTIVATIONS)} == {AROUND_LANES}


def test_a_launch_s_parameters_and_rows_fit() -> None:
    design = design_of(FULL)
    assert all(s.depth >= s.words for s in of_kind(design, StreamKind.PARAMS))
    assert all(s.depth >= s.words + MARGIN for s in of_kind(design, StreamKind.ROWS))


@pytest.mark.parametrize("chunk", CHUNKS)
def test_what_waits_for_the_engine_holds_a_whole_chunk(chunk: int) -> None:
    design = with_chunk(chunk)
    assert len(residuals(design)) == 2
    looped = of_kind(design, StreamKind.LOOP)
    assert looped
    for stream in (*residuals(design), *looped):
        assert stream.depth == max(SMALL, chunk * stream.words + MARGIN)


def test_a_result_that_waits_for_one_of_the_same_vector_holds_a_batch() -> None:
    """Of a product's factors, the one that comes first."""
    sizes = SizeOverrides(channels=4, lanes=2, chunk=28, batch=14)
    graph = FixNumerics()(random_graph(12, TINY))
    design = SizeFifos()(network_of(graph, overrides=sizes))
    op = {p.name: p.op for p in design.processes}
    results = [s for s in of_kind(design, StreamKind.RESULT) if s.words == 6]
    first, second = (next(s for s in results if isinstance(op[s.sink], kind)) for kind in (Mul, Map))
    assert (first.depth, second.depth) == (14 * first.words + MARGIN, SMALL)


@pytest.mark.parametrize("chunk", CHUNKS)
def test_results_have_room_for_a_launch_in_front_of_a_norm(chunk: int) -> None:
    design = with_chunk(chunk)
    to_residual = [s for s in of_kind(design, StreamKind.RESULT) if s.words == residuals(design)[0].words]
    assert len(to_residual) == 2
    assert {s.depth for s in to_residual} == {max(SMALL, chunk * to_residual[0].words + MARGIN)}


def test_the_head_s_vector_holds_one_token() -> None:
    design = with_chunk(16)
    blocks = {p.name: p.block for p in design.processes}
    vectors = of_kind(design, StreamKind.VECTOR)
    head = [s for s in vectors if design.blocks[blocks[s.source]].head]
    assert len(head) == 1
    assert all(s.depth == max(SMALL, 16 * s.words + MARGIN) for s in vectors)


def test_a_vector_of_one_word_is_no_descriptor() -> None:
    """A quantised vector of 32 elements is one word for each token, like a descriptor for each op."""
    network = network_of(graph_of(FULL), overrides=SizeOverrides(channels=4, lanes=2, chunk=64))
    narrow = tuple(replace(s, words=1) if s.kind is StreamKind.VECTOR else s for s in network.streams)
    sized = SizeFifos()(replace(network, streams=narrow))
    assert {s.depth for s in of_kind(sized, StreamKind.VECTOR)} == {64 + MARGIN}


def test_sizing_twice_changes_nothing() -> None:
    design = design_of(FULL)
    assert SizeFifos()(design) == design


def test_rows_come_from_the_sequencer() -> None:
    design = design_of(FULL)
    rows = of_kind(design, StreamKind.ROWS)
    assert len({s.source for s in rows}) == 1
    sequence = design.process(rows[0].source).op
    assert isinstance(sequence, Sequence)
    assert len(rows) == len(sequence.rows) == 3
