"""What the emulated random designs are made of: every op, and every form of program that an op has."""

from collections.abc import Callable, Iterator
from functools import cache

import pytest

from stbuild.frontend.padding import padded_graph
from stbuild.ir import plumbing
from stbuild.ir.design import Design, Process
from stbuild.ir.op import StreamingOp
from stbuild.ops.attention import Attention
from stbuild.ops.attention_part import AttentionPart
from stbuild.ops.fork import Fork
from stbuild.ops.loop_tail import LoopTail
from stbuild.ops.norm import Norm
from stbuild.ops.registry import OPS, PLUMBING
from stbuild.ops.rotary import Rotary
from stbuild.ops.slice import Slice
from stbuild.passes.numerics import FixNumerics
from tests.network.drawn import on_largest_engine
from tests.network.random_graphs import random_graph
from tests.network.test_programs import TRIALS

FRAME = (
    plumbing.Sequence, plumbing.ReadParams, plumbing.ReadWeights, plumbing.ReadKv, plumbing.WriteKv,
    plumbing.WriteWords, plumbing.Dispatch,
    plumbing.Collect, plumbing.ComputeUnit,
)  # fmt: skip
"""What reads and writes memory, and the engine."""
Form = Callable[[Design, Process], bool]
FORMS: dict[str, Form] = {
    "attention over all positions": lambda _, p: _attends(p, lambda a: not a.windows),
    "attention in a window": lambda _, p: _attends(p, lambda a: len(set(a.windows)) == 1),
    "windows that differ": lambda _, p: _attends(p, lambda a: len(set(a.windows)) > 1),
    "attention with sinks": lambda _, p: _attends(p, lambda a: a.sinks is not None),
    "attention with slopes": lambda _, p: _attends(p, lambda a: a.slopes != ()),
    "attention with a soft cap": lambda _, p: _attends(p, lambda a: a.cap != 0),
    "grouped queries": lambda _, p: _attends(p, lambda a: 1 < a.kv_heads < a.heads),
    "one head of keys": lambda _, p: _attends(p, lambda a: 1 == a.kv_heads < a.heads),
    "a norm with parameters": lambda _, p: isinstance(p.op, Norm) and p.op.param_words > 0,
    "a norm without": lambda _, p: isinstance(p.op, Norm) and p.op.param_words == 0,
    "a norm of each head": lambda _, p: isinstance(p.op, Norm) and p.op.segment < p.op.width,
    "halves rotated": lambda _, p: isinstance(p.op, Rotary) and not p.op.interleaved,
    "neighbours rotated": lambda _, p: isinstance(p.op, Rotary) and p.op.interleaved,
    "a table for each run": lambda _, p: isinstance(p.op, Rotary) and p.op.rows != (),
    "a slice from the start": lambda _, p: isinstance(p.op, Slice) and p.op.start == 0,
    "a slice behind the start": lambda _, p: isinstance(p.op, Slice) and p.op.start > 0,
    "a fork once a launch": lambda _, p: isinstance(p.op, Fork) and p.op.once,
    "a fork to several": lambda _, p: isinstance(p.op, Fork) and not p.op.once and len(p.writes) > 1,
    "a value that nobody reads": lambda _, p: isinstance(p.op, Fork) and not p.writes,
    "several carried values": lambda _, p: isinstance(p.op, LoopTail) and p.op.slot > 0,
    "rows by token in a block that repeats": lambda design, p: _rows(design, p, by_token=True),
    "rows by position in a block that repeats": lambda design, p: _rows(design, p, by_token=False),
    "a cache of several attention ops": lambda _, p: isinstance(p.op, plumbing.WriteKv) and len(p.reads) > 1,
    "an op of a block that runs once": lambda design, p: _runs(design, p) == 1,
    "an op of a block that repeats": lambda design, p: _runs(design, p) > 1,
}  # fmt: skip


def _attends(process: Process, condition: Callable[[Attention], bool]) -> bool:
    """Whether a process belongs to an attention op for which `condition` holds."""
    return isinstance(process.op, AttentionPart) and condition(process.op.attention)


def _runs(design: Design, process: Process) -> int:
    """How often the block of an op runs; 0 for what is no op of a block."""
    return design.blocks[process.block].count if isinstance(process.op, StreamingOp) else 0


def _rows(design: Design, process: Process, *, by_token: bool) -> bool:
    """Whether control sends rows of some table before each run of a block."""
    return isinstance(process.op, plumbing.Sequence) and any(
        row.by_token is by_token and design.blocks[row.block].count > 1 for row in process.op.rows
    )


@cache
def designs() -> tuple[Design, ...]:
    """Those that the tests of programs emulate."""
    return tuple(on_largest_engine(random_graph(seed, sizes)) for seed, sizes in TRIALS)


def processes() -> Iterator[tuple[Design, Process]]:
    """All of them."""
    return ((design, process) for design in designs() for process in design.processes)


@pytest.mark.slow
def test_every_op_of_the_registry_occurs() -> None:
    graphs = [FixNumerics()(padded_graph(random_graph(seed, sizes))) for seed, sizes in TRIALS]
    assert {type(op) for graph in graphs for block in graph.blocks for op in block.ops} == set(OPS)
    made = {type(process.op) for _, process in processes()}
    assert made == {op for op in OPS if issubclass(op, StreamingOp)} | {*PLUMBING, *FRAME}


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_program_occurs(form: str) -> None:
    assert any(FORMS[form](design, process) for design, process in processes())
