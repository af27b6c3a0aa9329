"""From the flat list of ops to a graph of blocks: prologue, layers, head.

The head, which runs only for tokens whose logits are wanted, holds no attention, since every token
must reach the KV cache.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from stbuild.errors import StbuildError
from stbuild.frontend.naming import Namer, common_origin
from stbuild.frontend.repeats import Repeat, Slot, find_repeat
from stbuild.ir.derived import Derived
from stbuild.ir.graph import Block, Graph
from stbuild.ir.op import Op
from stbuild.ir.param import Param, PositionTable
from stbuild.ops.add import Add
from stbuild.ops.affine import Affine
from stbuild.ops.attention import Attention
from stbuild.ops.embed import Embed
from stbuild.ops.linear import Linear
from stbuild.ops.map import Map
from stbuild.ops.mul_param import MulParam
from stbuild.ops.norm import Norm
from stbuild.ops.position_embed import PositionEmbed
from stbuild.ops.rotary import Rotary
from stbuild.ops.slice import Slice

_BEFORE_BODY = (Embed, PositionEmbed, Affine, Add)
_BEFORE_LOGITS = (Norm, Affine, Map, MulParam, Slice)


@dataclass(frozen=True, kw_only=True)
class _Span:
    """Ops `start` to `end` of the flat list as one block; `slots` if it is a repeat."""

    name: str
    start: int
    end: int
    repeat: Repeat | None = None


def graph_of(
    ops: tuple[Op, ...], logits: str, *, name: str, context: int, tables: tuple[PositionTable, ...],
    derived: tuple[Derived, ...] = (),
) -> Graph:  # fmt: skip
    """The graph whose last block makes the value `logits`; of the tensors `derived` it has those it uses."""
    live = _live(ops, logits)
    _check(live)
    rows = {table.name: table.width for table in tables}
    blocks = tuple(
        replace(block, ops=tuple(_plainest(op, context, rows) for op in block.ops))
        for block in _blocks(live, _spans(live), logits)
    )
    vocab_size = next(op.width for op in live if op.name == logits)
    used = {n for op in live for _, param in op.params for n in param.names}
    return Graph(
        name=name, vocab_size=vocab_size, context=context, blocks=blocks, tables=tables,
        derived=tuple(d for d in derived if d.name in used),
    )  # fmt: skip


def _plainest(op: Op, context: int, widths: Mapping[str, int]) -> Op:
    """`op` without redundant numbers per run: windows of the whole context, the only row of a table."""
    match op:
        case Attention(windows=windows) if all(w >= context for w in windows):
            return replace(op, windows=())
        case Rotary() if widths[op.table] == 2 * op.rotary_dim:
            return replace(op, rows=())
    return op


def _check(ops: tuple[Op, ...]) -> None:
    """Refuse a model without an LM head."""
    if not any(isinstance(op, Linear) for op in ops):
        raise StbuildError("the logits depend on no linear layer", hint="end the model with an LM head")


def _live(ops: tuple[Op, ...], logits: str) -> tuple[Op, ...]:
    """The ops on which the logits depend."""
    wanted = {logits}
    for op in reversed(ops):
        if op.name in wanted:
            wanted.update(op.operands)
    return tuple(op for op in ops if op.name in wanted)


def _spans(ops: tuple[Op, ...]) -> list[_Span]:
    repeat = find_repeat(ops)
    if repeat is None:
        first = next((i for i, op in enumerate(ops) if not isinstance(op, _BEFORE_BODY)), len(ops))
        cut = max(first, _head_start(ops, first))
        spans = [("prologue", 0, first), ("body", first, cut), ("head", cut, len(ops))]
        return [_Span(name=n, start=a, end=b) for n, a, b in spans if b > a]
    layers = _Span(name="layers", start=repeat.start, end=repeat.end, repeat=repeat)
    before = [_Span(name="prologue", start=0, end=repeat.start)] if repeat.start else []
    cut = repeat.end
    if any(isinstance(op, Attention) for op in ops[cut:]):
        cut = _head_start(ops, cut)
    tail = [_Span(name="tail", start=repeat.end, end=cut)] if cut > repeat.end else []
    return [*before, layers, *tail, _Span(name="head", start=cut, end=len(ops))]


def _head_start(ops: tuple[Op, ...], first: int) -> int:
    """The index of the last Linear, or of the first op right before it that only feeds the head."""
    cut = max((i for i, op in enumerate(ops) if isinstance(op, Linear)), default=first)
    while cut - 1 >= first and isinstance(ops[cut - 1], _BEFORE_LOGITS):
        cut -= 1
    return cut


def _blocks(ops: tuple[Op, ...], spans: list[_Span], logits: str) -> tuple[Block, ...]:
    """All blocks, made from the last to the first: each must output what the next one reads."""
    made: list[Block] = []
    wanted: tuple[str, ...] = (logits,)
    for i in reversed(range(len(spans))):
        span = spans[i]
        if span.repeat:
            made.append(_layers(ops, span.name, span.repeat))
            wanted = tuple(ops[s.first].name for s in span.repeat.slots)
            continue
        after = spans[i - 1].repeat if i else None
        reads = _carried_out(ops, after) if after else _reads(ops[span.start : span.end], wanted)
        made.append(_plain(ops[span.start : span.end], span.name, reads, wanted))
        wanted = reads
    return tuple(reversed(made))


def _carried_out(ops: tuple[Op, ...], repeat: Repeat) -> tuple[str, ...]:
    last = repeat.end - repeat.period
    return tuple(ops[s.first if s.out is None else last + s.out].name for s in repeat.slots)


def _reads(ops: tuple[Op, ...], wanted: tuple[str, ...]) -> tuple[str, ...]:
    own = {op.name for op in ops}
    reads = [n for op in ops for n in op.operands]
    return tuple(dict.fromkeys(n for n in (*reads, *wanted) if n not in own))


def _plain(ops: tuple[Op, ...], name: str, reads: tuple[str, ...], wanted: tuple[str, ...]) -> Block:
    namer = Namer(reads)
    named = tuple(namer.name(op) for op in ops)
    outputs = tuple(namer.known[n] for n in wanted)
    return Block(name=name, count=1, inputs=namer.inputs, outputs=outputs, ops=named)


def _layers(ops: tuple[Op, ...], name: str, repeat: Repeat) -> Block:
    """The runs as one block with the operands of the second run, all of whose inputs come from the first."""
    run = [ops[repeat.start + r * repeat.period :][: repeat.period] for r in range(repeat.count)]
    first = {ops[s.first].name: s for s in repeat.slots}
    namer = Namer(tuple(_slot_input(ops, repeat, s) for s in repeat.slots))
    merged = [_merged(tuple(same)) for same in zip(*run, strict=True)]
    second = tuple(replace(op, **_operands(run[1][j])) for j, op in enumerate(merged))
    rename = {op.name: run[1][j].name for j, op in enumerate(merged)}
    named = tuple(namer.name(replace(op, name=rename[op.name])) for op in second)
    outputs = tuple(
        namer.inputs[i] if s.out is None else named[s.out].name for i, s in enumerate(repeat.slots)
    )
    assert len(first) <= len(repeat.slots)
    return Block(name=name, count=repeat.count, inputs=namer.inputs, outputs=outputs, ops=named)


def _slot_input(ops: tuple[Op, ...], repeat: Repeat, slot: Slot) -> str:
    """What the second run reads for a slot."""
    return ops[slot.first if slot.out is None else repeat.start + slot.out].name


def _operands(op: Op) -> dict[str, Any]:
    """What `op` reads, by field."""
    return {name: getattr(op, name) for name in op.operand_fields}


def _merged(same: tuple[Op, ...]) -> Op:
    """The op of the first run with the parameters of all runs."""
    op = same[0]
    changes: dict[str, Any] = {"origin": common_origin(tuple(o.origin for o in same))}
    for f in fields(op):
        if f.name in op.run_fields:
            changes[f.name] = tuple(number for o in same for number in getattr(o, f.name))
        if isinstance(getattr(op, f.name), Param):
            names = tuple(n for o in same for n in getattr(o, f.name).names)
            changes[f.name] = replace(getattr(op, f.name), names=names)
    return replace(op, **changes)
