"""From the flat list of ops to a graph of blocks: prologue, layers, head.

The head, which runs only for tokens whose logits are wanted, holds no attention, since every token
must reach the KV cache.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from stbuild.errors import StbuildError
from stbuild.frontend.naming import Namer, common_origin
from stbuild.frontend.repeats import BY_RUN, Repeat, Slot, find_repeat
from stbuild.ir.derived import Derived
from stbuild.ir.graph import (
    Add,
    Affine,
    AnyOp,
    Attention,
    Block,
    Embed,
    Graph,
    Linear,
    Map,
    MulParam,
    Norm,
    Param,
    PositionEmbed,
    PositionTable,
    Rotary,
    Slice,
    operands,
    params,
)  # fmt: skip

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
    ops: tuple[AnyOp, ...], logits: str, *, name: str, context: int, tables: tuple[PositionTable, ...],
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
    used = {n for op in live for _, param in params(op) for n in param.names}
    return Graph(
        name=name, vocab_size=vocab_size, context=context, blocks=blocks, tables=tables,
        derived=tuple(d for d in derived if d.name in used),
    )  # fmt: skip


def _plainest(op: AnyOp, context: int, widths: Mapping[str, int]) -> AnyOp:
    """`op` without numbers by run that say nothing: windows over all, the only row of a table."""
    match op:
        case Attention(windows=windows) if all(w >= context for w in windows):
            return replace(op, windows=())
        case Rotary() if widths[op.table] == 2 * op.rotary_dim:
            return replace(op, rows=())
    return op


def _check(ops: tuple[AnyOp, ...]) -> None:
    """Refuse a model without an LM head."""
    if not any(isinstance(op, Linear) for op in ops):
        raise StbuildError("the logits depend on no linear layer", hint="end the model with an LM head")


def _live(ops: tuple[AnyOp, ...], logits: str) -> tuple[AnyOp, ...]:
    """The ops on which the logits depend."""
    wanted = {logits}
    for op in reversed(ops):
        if op.name in wanted:
            wanted.update(operands(op))
    return tuple(op for op in ops if op.name in wanted)


def _spans(ops: tuple[AnyOp, ...]) -> list[_Span]:
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


def _head_start(ops: tuple[AnyOp, ...], first: int) -> int:
    """The last Linear, or what stands right before it and only feeds the head."""
    cut = max((i for i, op in enumerate(ops) if isinstance(op, Linear)), default=first)
    while cut - 1 >= first and isinstance(ops[cut - 1], _BEFORE_LOGITS):
        cut -= 1
    return cut


def _blocks(ops: tuple[AnyOp, ...], spans: list[_Span], logits: str) -> tuple[Block, ...]:
    """Blocks from the last to the first: what a block reads, the one before must hand on."""
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


def _carried_out(ops: tuple[AnyOp, ...], repeat: Repeat) -> tuple[str, ...]:
    last = repeat.end - repeat.period
    return tuple(ops[s.first if s.out is None else last + s.out].name for s in repeat.slots)


def _reads(ops: tuple[AnyOp, ...], wanted: tuple[str, ...]) -> tuple[str, ...]:
    own = {op.name for op in ops}
    reads = [n for op in ops for n in operands(op)]
    return tuple(dict.fromkeys(n for n in (*reads, *wanted) if n not in own))


def _plain(ops: tuple[AnyOp, ...], name: str, reads: tuple[str, ...], wanted: tuple[str, ...]) -> Block:
    namer = Namer(reads)
    named = tuple(namer.name(op) for op in ops)
    outputs = tuple(namer.known[n] for n in wanted)
    return Block(name=name, count=1, inputs=namer.inputs, outputs=outputs, ops=named)


def _layers(ops: tuple[AnyOp, ...], name: str, repeat: Repeat) -> Block:
    """The runs as one block, wired as the second run is: all it reads comes from the first."""
    run = [ops[repeat.start + r * repeat.period :][: repeat.period] for r in range(repeat.count)]
    first = {ops[s.first].name: s for s in repeat.slots}
    namer = Namer(tuple(_slot_input(ops, repeat, s) for s in repeat.slots))
    merged = [_merged(tuple(same)) for same in zip(*run, strict=True)]
    second = tuple(replace(op, **_wires(run[1][j])) for j, op in enumerate(merged))
    rename = {op.name: run[1][j].name for j, op in enumerate(merged)}
    named = tuple(namer.name(replace(op, name=rename[op.name])) for op in second)
    outputs = tuple(
        namer.inputs[i] if s.out is None else named[s.out].name for i, s in enumerate(repeat.slots)
    )
    assert len(first) <= len(repeat.slots)
    return Block(name=name, count=repeat.count, inputs=namer.inputs, outputs=outputs, ops=named)


def _slot_input(ops: tuple[AnyOp, ...], repeat: Repeat, slot: Slot) -> str:
    """What the second run reads for a slot."""
    return ops[slot.first if slot.out is None else repeat.start + slot.out].name


def _wires(op: AnyOp) -> dict[str, Any]:
    return {
        f.name: getattr(op, f.name) for f in fields(op) if f.name in ("x", "a", "b", "q", "k", "v", "parts")
    }


def _merged(same: tuple[AnyOp, ...]) -> AnyOp:
    """The op of the first run with the parameters of all runs."""
    op = same[0]
    changes: dict[str, Any] = {"origin": common_origin(tuple(o.origin for o in same))}
    for f in fields(op):
        if f.name in BY_RUN:
            changes[f.name] = tuple(number for o in same for number in getattr(o, f.name))
        if isinstance(getattr(op, f.name), Param):
            names = tuple(n for o in same for n in getattr(o, f.name).names)
            changes[f.name] = replace(getattr(op, f.name), names=names)
    return replace(op, **changes)
