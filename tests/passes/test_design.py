"""A design holds together, survives its file, and says of every kernel, stream and region what it is."""

from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings

from stbuild.ir import serde
from stbuild.ir.design import Design, KernelRole, Process, RegionKind, Stream, StreamKind
from stbuild.ir.plumbing import Collect, ComputeUnit, Dispatch, Sequence
from stbuild.ops.files import read_design
from stbuild.ops.loop_head import LoopHead
from stbuild.ops.loop_tail import LoopTail
from stbuild.ops.quantize import Quantize
from tests.passes.designs import design_of, graph_of, network_of
from tests.reference.small import Variant, variants

FULL = Variant(scaled=True, positions=True, head_norm=True, center=True, bias=True)


def ends(design: Design, kind: StreamKind) -> set[tuple[type, type]]:
    """The ops at both ends of the streams of `kind`; the graph's ops count as one type."""
    op = {p.name: type(p.op) for p in design.processes}
    return {(op[s.source], op[s.sink]) for s in design.streams if s.kind is kind}


@settings(max_examples=10, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(variant=variants())
def test_a_design_survives_its_file(tmp_path_factory: pytest.TempPathFactory, variant: Variant) -> None:
    design = design_of(variant)
    path = tmp_path_factory.mktemp("design") / "design.json"
    serde.write(path, design)
    assert read_design(path) == design


def test_streams_of_the_engine_have_its_processes_at_their_ends() -> None:
    design = design_of(FULL)
    assert ends(design, StreamKind.DESCRIPTOR) == {
        (Sequence, Dispatch), (Dispatch, Collect), (Dispatch, ComputeUnit),
    }  # fmt: skip
    assert ends(design, StreamKind.ACTIVATIONS) == {(Dispatch, ComputeUnit)}
    assert ends(design, StreamKind.TILES) == {(ComputeUnit, Collect)}
    assert ends(design, StreamKind.VECTOR) == {(Quantize, Dispatch)}
    assert {source for source, _ in ends(design, StreamKind.RESULT)} == {Collect}
    assert ends(design, StreamKind.LOOP) == {(LoopTail, LoopHead)}


def test_every_process_of_a_segment_has_a_command_and_no_other_has() -> None:
    design = design_of(FULL)
    segments = {k.name for k in design.kernels if k.role is KernelRole.SEGMENT}
    commands = {s.name for s in design.streams if s.kind is StreamKind.COMMAND}
    taken = [p.command for p in design.processes if p.command is not None]
    assert len(set(taken)) == len(taken)
    assert {p.kernel for p in design.processes if p.command} == segments
    inlets = {s for p in design.processes for s in p.reads if s in commands}
    assert inlets | set(taken) == commands
    assert len(inlets) == len(segments)


def test_regions_say_what_lies_in_them() -> None:
    kinds = [r.kind for r in design_of(FULL).regions]
    for kind in RegionKind:
        assert kind in kinds, kind
    assert kinds.count(RegionKind.WEIGHTS) == 4
    assert kinds.count(RegionKind.KV) == 4 + 1, "a part of each channel; records and scales"
    assert kinds.count(RegionKind.ROWS) == 3


def test_a_network_knows_the_kernels_that_do_not_depend_on_the_model() -> None:
    network = network_of(graph_of(Variant()))
    assert [k.role for k in network.kernels] == [KernelRole.CONTROL, KernelRole.ROUTER, KernelRole.MATMUL]
    assert [network.unit_of(p) for p in network.processes if isinstance(p.op, ComputeUnit)] == [
        "matmul_0",
        "matmul_1",
    ]


def broken(design: Design, stream: Stream) -> Design:
    """`design` with `stream` in the place of its first one."""
    return replace(design, streams=(stream, *design.streams[1:]))


def test_a_stream_to_a_process_that_does_not_read_it_is_refused() -> None:
    design = design_of(Variant())
    with pytest.raises(ValueError, match=r"stream 'desc' is not read by '\w+', or not there"):
        broken(design, replace(design.streams[0], sink=design.streams[0].source))


def test_a_process_that_reads_nothing_that_is_there_is_refused() -> None:
    design = design_of(Variant())
    with pytest.raises(ValueError, match="stream 'nothing' is not read by 'other', or not there"):
        replace(design, processes=(*design.processes, other(design, reads=("nothing",))))


def test_two_streams_of_one_name_are_refused() -> None:
    design = design_of(Variant())
    with pytest.raises(ValueError, match="2 of the Stream values are called 'desc'"):
        replace(design, streams=(*design.streams, design.streams[0]))


def test_a_process_of_no_kernel_is_refused() -> None:
    design = design_of(Variant())
    with pytest.raises(ValueError, match="process 'other' has no kernel"):
        replace(design, processes=(*design.processes, other(design, kernel="nowhere")))


def other(design: Design, **changes: object) -> Process:
    """A process called `other`."""
    bare = replace(design.processes[0], name="other", reads=(), writes=(), command=None)
    return replace(bare, **changes)  # type: ignore[arg-type]  # fields of Process
