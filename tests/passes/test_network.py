"""The dataflow generator: each op a process, each value a stream, loops around blocks that repeat."""

from dataclasses import replace

import pytest

from stbuild.ir.design import Design, Process, StreamKind
from stbuild.ir.op import StreamingOp
from stbuild.ir.plumbing import ReadKv, Sequence, WriteKv
from stbuild.ops.add import Add
from stbuild.ops.attention_heads import AttentionHeads
from stbuild.ops.attention_scores import AttentionScores
from stbuild.ops.fork import Fork
from stbuild.ops.linear import Linear
from stbuild.ops.loop_head import LoopHead
from stbuild.ops.loop_tail import LoopTail
from stbuild.ops.norm import Norm
from stbuild.ops.rotary import Rotary
from stbuild.ops.take_last import TakeLast
from tests.passes.designs import graph_of, network_of
from tests.reference.small import CONTEXT, VOCAB, Variant

FULL = Variant(scaled=True, positions=True, head_norm=True, center=True, bias=True)
EMBED, LAYERS, HEAD = range(3)


def of_type(design: Design, kind: type) -> list[Process]:
    """The processes of ops of a type."""
    return [p for p in design.processes if isinstance(p.op, kind)]


def sources(design: Design, process: Process) -> list[type]:
    """What gives each stream that a process reads; of a fork, what it copies."""
    found = []
    for name in process.reads:
        giver = design.process(design.stream(name).source)
        while isinstance(giver.op, Fork):
            giver = design.process(design.stream(giver.reads[0]).source)
        found.append(type(giver.op))
    return found


@pytest.mark.parametrize("variant", [Variant(), FULL, Variant(parallel=True, gated=False)])
def test_each_streaming_op_is_a_process_of_its_block(variant: Variant) -> None:
    graph, network = graph_of(variant), network_of(graph_of(variant))
    expected = [
        (number, op)
        for number, block in enumerate(graph.blocks)
        for op in block.ops
        if isinstance(op, StreamingOp)
    ]
    found = [(p.block, p.op) for p in network.processes if isinstance(p.op, StreamingOp)]
    assert found == expected


def test_a_process_reads_its_operands_then_its_table_then_its_parameters() -> None:
    network = network_of(graph_of(FULL))
    rotary = of_type(network, Rotary)[0]
    assert [network.stream(s).kind for s in rotary.reads] == [StreamKind.DATA, StreamKind.DATA]
    assert sources(network, rotary) == [Norm, Sequence]
    norm = of_type(network, Norm)[0]
    assert [network.stream(s).kind for s in norm.reads] == [StreamKind.DATA, StreamKind.PARAMS]


def test_attention_has_one_reader_and_one_writer_of_the_cache() -> None:
    network = network_of(graph_of(Variant()))
    (heads,), (scores,) = of_type(network, AttentionHeads), of_type(network, AttentionScores)
    (reader,), (writer,) = of_type(network, ReadKv), of_type(network, WriteKv)
    assert reader.writes == (heads.reads[3], scores.reads[3])
    assert writer.reads == (heads.writes[0],)
    assert network.stream(heads.reads[3]).words == network.stream(heads.writes[0]).words


def test_a_block_that_repeats_has_a_head_and_a_tail_for_each_value_that_it_hands_on() -> None:
    graph = graph_of(Variant())
    layers = graph.blocks[LAYERS]
    two = replace(layers, inputs=("x", "first"), outputs=(layers.outputs[0], "first"))
    embed = graph.blocks[EMBED]
    blocks = (
        replace(embed, outputs=2 * embed.outputs),
        two,
        replace(graph.blocks[HEAD], inputs=("x", "unused")),
    )
    network = network_of(replace(graph, blocks=blocks))
    heads, tails = of_type(network, LoopHead), of_type(network, LoopTail)
    assert [p.op.slot for p in heads if isinstance(p.op, LoopHead)] == [0, 1]
    for head, tail in zip(heads, tails, strict=True):
        back, leave = (network.stream(s) for s in tail.writes)
        assert back.kind is StreamKind.LOOP
        assert (back.name, network.process(leave.sink).op) == (head.reads[1], TakeLast(words=8))
    gate = of_type(network, TakeLast)[1]
    nobody = network.process(network.stream(gate.writes[0]).sink)
    assert isinstance(nobody.op, Fork) and nobody.writes == ()


def test_a_block_that_runs_once_has_neither() -> None:
    graph = graph_of(Variant())
    once = replace(graph, blocks=tuple(replace(b, count=1) for b in graph.blocks))
    network = network_of(once)
    assert of_type(network, LoopHead) == of_type(network, LoopTail) == []
    assert len(of_type(network, TakeLast)) == 1


def test_a_value_with_several_readers_gets_a_fork_to_all() -> None:
    network = network_of(graph_of(Variant()))
    (head,) = of_type(network, LoopHead)
    fork = network.process(network.stream(head.writes[0]).sink)
    readers = [network.process(network.stream(s).sink) for s in fork.writes]
    assert [type(p.op) for p in readers] == [Norm, Add]


def test_control_sends_the_rows_of_embeddings_and_of_tables() -> None:
    network = network_of(graph_of(FULL))
    (sequence,) = of_type(network, Sequence)
    assert isinstance(sequence.op, Sequence)
    rows = [(row.block, row.by_token, row.rows) for row in sequence.op.rows]
    assert rows == [(EMBED, True, VOCAB), (EMBED, False, CONTEXT), (0, False, CONTEXT)]


def test_a_linear_op_is_no_process_but_a_result_of_the_engine() -> None:
    graph = graph_of(Variant())
    network = network_of(graph)
    linear = sum(isinstance(op, Linear) for block in graph.blocks for op in block.ops)
    results = [s for s in network.streams if s.kind is StreamKind.RESULT]
    assert len(results) == len(network.matmuls) == linear
    assert of_type(network, Linear) == []
