"""The programs of the streaming processes: the ops of the graph between the linear ones, and plumbing.

Each is that of the function in hls_lib/include/stb which `codegen.calls` names for the process.
"""

from dataclasses import dataclass

from stbuild.ir.design import BlockRuns, Design, Process
from stbuild.ir.graph import (
    Add,
    AddParam,
    Affine,
    Attention,
    Concat,
    Map,
    Mul,
    MulParam,
    Norm,
    Quantize,
    Rescale,
    Rotary,
    Slice,
)  # fmt: skip
from stbuild.ir.plumbing import Argmax, FanOut, Fork, LoopHead, LoopTail, TakeLast
from stbuild.ir.records import kv_record_words
from stbuild.ir.types import GROUP, LANES, words_of
from stbuild.network.program import Launch, Program, Read, Repeat, Write, in_a_row, moves, reads, writes


@dataclass(frozen=True, kw_only=True)
class Streaming:
    """A streaming process in one launch: its streams, its block's runs, the tokens that it sees."""

    reads: tuple[str, ...]
    writes: tuple[str, ...]
    words: tuple[int, ...]
    """Words that pass through each of `reads` per token."""
    block: int
    runs: int
    tokens: int
    launch: Launch

    def each_run(self, *body: Read | Write | Repeat) -> Repeat:
        """`body` in every run of the block."""
        return Repeat(self.runs, body, runs_of=self.block)


def streaming_program(process: Process, design: Design, launch: Launch) -> Program:
    """The program of a process of a streaming kernel, behind its command."""
    block = design.blocks[process.block] if process.block >= 0 else BlockRuns(name="", count=1, head=False)
    here = Streaming(
        reads=process.reads,
        writes=process.writes,
        words=tuple(design.stream(name).words for name in process.reads),
        block=process.block,
        runs=block.count,
        tokens=int(launch.head) if block.head else launch.tokens,
        launch=launch,
    )
    op = process.op
    match op:
        case Fork():
            return _fork(op, here)
        case FanOut():
            return Read(process.reads[0]), Write(process.writes)
        case LoopHead() | LoopTail() | TakeLast() | Argmax():
            return _plumbing(op, here)
        case Attention():
            return _attention(op, here)
        case Rotary():
            return _rotary(op, here)
        case _:
            return (here.each_run(*_vectors(op, here)),)


def _vectors(op: object, here: Streaming) -> Program:
    """One run of an op on vectors, token after token."""
    (x, *others), y = here.reads, here.writes[0]
    match op:
        case Quantize(width=width):
            return (Repeat(here.tokens * (width // GROUP), (Read(x), Read(x), Write((y,)))),)
        case Norm():
            return _norm(op, here)
        case Map(width=width) | Affine(width=width) | Rescale(width=width):
            return (moves(x, y, here.tokens * words_of(width)),)
        case Add(width=width) | Mul(width=width):
            return (Repeat(here.tokens * words_of(width), (Read(x), Read(others[0]), Write((y,)))),)
        case AddParam(width=width) | MulParam(width=width):
            return reads(others[0], words_of(width)), moves(x, y, here.tokens * words_of(width))
        case Slice(start=start, width=width):
            ahead, kept = start // LANES, width // LANES
            behind = here.words[0] - ahead - kept
            return (Repeat(here.tokens, (reads(x, ahead), moves(x, y, kept), reads(x, behind))),)
        case Concat():
            parts = zip(here.reads, here.words, strict=True)
            return (Repeat(here.tokens, tuple(moves(part, y, words) for part, words in parts)),)
        case _:
            raise TypeError(f"{type(op).__name__} is not a streaming process")


def _norm(op: Norm, here: Streaming) -> Program:
    x, y = here.reads[0], here.writes[0]
    segment = op.segment // LANES
    params = [p for p in (op.weight, op.bias) if p is not None]
    loads = [reads(here.reads[1], segment * len(params))] if params else []
    return *loads, Repeat(here.tokens * (op.width // op.segment), (reads(x, segment), writes(y, segment)))


def _rotary(op: Rotary, here: Streaming) -> Program:
    x, table = here.reads
    head = op.head_dim // LANES
    heads = Repeat(here.tokens * op.heads, (reads(x, head), writes(here.writes[0], head)))
    return reads(table, here.tokens * here.words[1]), here.each_run(heads)


def _attention(op: Attention, here: Streaming) -> Program:
    """The runs one after the other; those that see equally many older positions are alike."""
    older = [op.older(run, here.launch.position) for run in range(here.runs)]
    return tuple(
        Repeat(runs, _attention_run(op, here, count), runs_of=here.block) for count, runs in in_a_row(older)
    )


def _attention_run(op: Attention, here: Streaming, older: int) -> Program:
    """Sinks; q, k and v of the launch, their records out, `older` records in, the results."""
    q, k, v, k_in, v_in, *sinks = here.reads
    k_out, v_out, y = here.writes
    tokens, inside = here.tokens, op.head_dim // LANES
    keys, values = kv_record_words(op)
    return (
        *(reads(sink, words_of(op.heads)) for sink in sinks),
        reads(q, tokens * op.heads * inside),
        reads(k, tokens * op.kv_heads * inside),
        reads(v, tokens * op.kv_heads * inside),
        Repeat(tokens, (writes(k_out, keys), writes(v_out, values))),
        reads(k_in, older * keys),
        reads(v_in, older * values),
        writes(y, tokens * op.heads * inside),
    )


def _fork(op: Fork, here: Streaming) -> Program:
    step: Program = (Read(here.reads[0]), *([Write(here.writes)] if here.writes else []))
    if op.once:
        return (Repeat(here.launch.tokens * op.words, step),)
    return (here.each_run(Repeat(here.tokens * op.words, step)),)


def _plumbing(op: LoopHead | LoopTail | TakeLast | Argmax, here: Streaming) -> Program:
    launch = here.launch
    match op:
        case LoopHead(words=words):
            first, back = (moves(x, here.writes[0], launch.tokens * words) for x in here.reads)
            return first, Repeat(here.runs - 1, (back,), runs_of=here.block)
        case LoopTail(words=words):
            back, leave = (moves(here.reads[0], y, launch.tokens * words) for y in here.writes)
            return Repeat(here.runs - 1, (back,), runs_of=here.block), leave
        case TakeLast(words=words):
            x, y = here.reads[0], here.writes[0]
            if not launch.head:
                return (reads(x, launch.tokens * words),)
            return reads(x, (launch.tokens - 1) * words), moves(x, y, words)
        case Argmax(words=words):
            logits, token = here.writes
            return (moves(here.reads[0], logits, words), Write((token,))) if launch.head else ()
