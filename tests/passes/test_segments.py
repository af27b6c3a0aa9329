"""Segments: what hangs together without the engine is one kernel, whatever it is called."""

from dataclasses import replace

from stbuild.ir.design import Design, KernelRole
from stbuild.ir.graph import Graph
from stbuild.ir.param import Param
from stbuild.ops.affine import Affine
from stbuild.ops.fan_out import FanOut
from stbuild.ops.linear import Linear
from stbuild.ops.norm import Norm
from stbuild.ops.quantize import Quantize
from stbuild.passes.segments import FormKernels
from tests.passes.designs import design_of, finished, graph_of, network_of
from tests.reference.small import Variant


def segments(design: Design) -> list[str]:
    return [k.name for k in design.kernels if k.role is KernelRole.SEGMENT]


def two_linears_in_a_row() -> Graph:
    """`logits = b(a(norm(x)))` in the head: between a and b lies a segment of one Quantize."""
    graph = graph_of(Variant())
    head = graph.blocks[-1]
    norm, quantised, logits = head.ops
    assert isinstance(norm, Norm)
    assert isinstance(quantised, Quantize)
    assert isinstance(logits, Linear)
    weight = Param(names=("between",), shape=(128, 128))
    first = Linear(name="a", width=128, x=quantised.name, weight=weight)
    again = Quantize(name="a_q", width=128, frac=first.frac, x="a")
    ops = (norm, quantised, first, again, replace(logits, x="a_q"))
    return replace(graph, blocks=(*graph.blocks[:-1], replace(head, ops=ops)))


def test_the_segments_of_a_small_model() -> None:
    assert segments(design_of(Variant())) == ["layers_residual", "layers_gate", "layers_attention", "sampler"]


def test_no_stream_inside_the_streaming_ops_leaves_a_segment() -> None:
    design = design_of(Variant(scaled=True, positions=True, head_norm=True))
    kernel = {p.name: p.kernel for p in design.processes}
    inside = set(segments(design))
    for stream in design.streams:
        source, sink = kernel[stream.source], kernel[stream.sink]
        assert source == sink or source not in inside or sink not in inside


def test_a_segment_of_one_quantize_is_a_kernel() -> None:
    design = finished(network_of(two_linears_in_a_row()))
    members = design.members("head_a_q")
    assert [type(p.op) for p in members] == [FanOut, Quantize]
    assert members[1].writes == ("head_a_q",)


def test_a_kernel_is_not_called_like_the_frame() -> None:
    graph = graph_of(Variant(scaled=True))
    blocks = tuple(replace(b, name={"embed": "control"}.get(b.name, b.name)) for b in graph.blocks)
    network = network_of(replace(graph, blocks=blocks))
    taken = {process.name: "control" for process in network.processes if isinstance(process.op, Affine)}
    renamed = replace(
        network,
        processes=tuple(replace(p, name=taken.get(p.name, p.name)) for p in network.processes),
        streams=tuple(
            replace(s, source=taken.get(s.source, s.source), sink=taken.get(s.sink, s.sink))
            for s in network.streams
        ),
    )
    formed = FormKernels()(renamed)
    names = [k.name for k in formed.kernels]
    assert len(set(names)) == len(names)
    assert names.count("control") == 1
