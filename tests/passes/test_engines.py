"""Several engines in one design: which takes what, and what each has of its own."""

from dataclasses import replace

import pytest

from stbuild.codegen.connectivity import connectivity_cfg
from stbuild.codegen.kernels import kernel_files
from stbuild.errors import StbuildError
from stbuild.ir.design import Design, KernelRole, RegionKind, StreamKind
from stbuild.ir.engine import Engine, EngineRole
from stbuild.ir.plumbing import Collect, ComputeUnit, Dispatch, Sequence
from stbuild.ir.program import Launch
from stbuild.ir.schedule import KvMatmul
from stbuild.passes.pipeline import plan_engines
from stbuild.passes.report import design_report
from stbuild.passes.schedule import bind_blocks
from stbuild.timing.bounds import engine_bound
from tests.accelerator import platform
from tests.passes.designs import graph_of, index_of
from tests.reference.small import Variant

BODY = Engine(role=EngineRole.BODY, lanes=(2, 2), token_lanes=2, chunk=4, batch=4)
WHOLE = Engine(lanes=(2,), token_lanes=1, chunk=4, batch=4)
HEAD = Engine(role=EngineRole.HEAD, lanes=(3,), token_lanes=1, chunk=1, batch=1)
GRAPH = graph_of(Variant(scaled=True, positions=True))


def design_with(*engines: Engine) -> Design:
    """The design of a small model on `engines`."""
    return plan_engines(GRAPH, index_of(GRAPH), platform("u55c"), engines)


def test_each_engine_takes_the_blocks_of_its_role() -> None:
    design = design_with(BODY, HEAD)
    for op in design.matmuls:
        assert op.engine == int(design.blocks[op.block].head)
    for engine in range(2):
        ops = [op for op in design.matmuls if op.engine == engine]
        dispatch, collect = design.router(engine)
        cached = [op for op in design.engine_ops(engine) if isinstance(op, KvMatmul)]
        assert len(cached) == (1 - engine)
        results = [op.destination for op in ops] + [n for op in cached for n in (op.products, op.sums)]
        assert sorted(results) == list(range(len(collect.writes)))
        vectors = {op.source for op in ops} | {n for op in cached for n in (op.queries, op.weights)}
        assert vectors == set(range(len(dispatch.reads) - 1))
        assert all(0 <= op.base < design.engines[engine].channels for op in ops)


def test_a_launch_takes_what_the_body_s_engine_takes() -> None:
    assert design_with(BODY, HEAD).sizes.chunk == 4


def test_each_engine_has_its_own_router_units_channels_and_program() -> None:
    design = design_with(BODY, HEAD)
    assert [k.role for k in design.kernels].count(KernelRole.ROUTER) == 2
    units = [k.units for k in design.kernels if k.role is KernelRole.MATMUL]
    assert list(map(len, units)) == [2, 1]
    for engine, sizes in enumerate((BODY, HEAD)):
        assert len(design.channels(engine)) == sizes.channels
        dispatch, collect = design.router(engine)
        assert dispatch.kernel == collect.kernel
        assert isinstance(dispatch.op, Dispatch)
        assert isinstance(collect.op, Collect)
    (sequence,) = (p for p in design.processes if isinstance(p.op, Sequence))
    descriptors = [
        design.stream(s) for s in sequence.writes if design.stream(s).kind is StreamKind.DESCRIPTOR
    ]
    assert [design.process(s.sink) for s in descriptors] == [design.router(0)[0], design.router(1)[0]]
    programs = [r for r in design.regions if r.kind is RegionKind.PROGRAM]
    assert [r.bytes for r in programs] == [64 * design.program_words(engine) for engine in range(2)]
    weights = [r for r in design.regions if r.kind is RegionKind.WEIGHTS]
    assert [r.first for r in weights] == list(range(BODY.channels + HEAD.channels))


def test_units_are_generated_with_the_sizes_of_their_engine() -> None:
    design = design_with(BODY, HEAD)
    files = kernel_files(design)
    for kernel in (k for k in design.kernels if k.role is KernelRole.MATMUL):
        op = design.members(kernel.name)[0].op
        assert isinstance(op, ComputeUnit)
        engine = design.engines[op.engine]
        columns = max(each.cols for each in design.matmuls if each.engine == op.engine)
        shape = f"{engine.lanes[op.unit] - 1}, {columns}, {engine.chunk}, {engine.token_lanes}, 4"
        assert f"stb::mac_lane<{shape}>(" in files[kernel.name]
    cfg = connectivity_cfg(design, platform("u55c"))
    assert cfg.count("nk=matmul") == 2
    assert "3 lanes" in design_report(design, platform("u55c"))


def test_the_bound_of_two_engines_is_that_of_the_slower_one() -> None:
    launch = Launch(tokens=4, position=0, head=True)
    both = engine_bound(design_with(BODY, HEAD), launch)
    slow = replace(BODY, lanes=(1,))
    assert engine_bound(design_with(slow, HEAD), launch) > both


@pytest.mark.parametrize(
    ("engines", "sentence"),
    [
        ((BODY,), "0 engines take the linear ops of block 'head', not one"),
        ((BODY, BODY, HEAD), "2 engines take the linear ops of block 'layers', not one"),
        (
            (WHOLE, HEAD),
            "2 engines take the linear ops of block 'head', not one",
        ),
    ],
)
def test_each_block_is_taken_by_one_engine(engines: tuple[Engine, ...], sentence: str) -> None:
    with pytest.raises(StbuildError, match=sentence):
        bind_blocks(GRAPH, engines)
