"""Parameters come into a kernel by one port, in the order in which its processes read them."""

from collections import Counter

from stbuild.ir.design import StreamKind
from stbuild.ir.plumbing import ReadParams
from stbuild.ir.program import Launch, words_of_program
from stbuild.network.control import control_program
from stbuild.network.streaming import streaming_program
from stbuild.ops.split_params import SplitParams
from tests.passes.designs import design_of
from tests.reference.small import Variant

FULL = Variant(scaled=True, positions=True, head_norm=True, center=True, bias=True)
LAUNCH = Launch(tokens=2, position=0, head=False)


def test_a_kernel_has_one_port_of_parameters() -> None:
    design = design_of(FULL)
    inlets = [s for s in design.streams if s.kind is StreamKind.PARAMS and s.storage is None]
    kernels = Counter(design.process(s.sink).kernel for s in inlets)
    assert set(kernels.values()) == {1}
    splits = [p for p in design.processes if isinstance(p.op, SplitParams)]
    assert splits
    assert all(len(p.reads) == 1 and len(p.writes) > 1 for p in splits)


def test_what_the_reader_sends_is_what_the_processes_get() -> None:
    design = design_of(FULL)
    (reader,) = (p for p in design.processes if isinstance(p.op, ReadParams))
    sent = words_of_program(control_program(reader, design, LAUNCH)).written
    assert isinstance(reader.op, ReadParams)
    assert sum(sent.values()) == sum(r.words * design.blocks[r.block].count for r in reader.op.reads)
    for process in design.processes:
        if isinstance(process.op, SplitParams):
            split = words_of_program(streaming_program(process, design, LAUNCH))
            assert split.read == {process.reads[0]: sent[process.reads[0]]}
            assert sum(split.written.values()) == sent[process.reads[0]]
            for stream in process.writes:
                sink = design.process(design.stream(stream).sink)
                assert (
                    words_of_program(streaming_program(sink, design, LAUNCH)).read[stream]
                    == (split.written[stream])
                )
