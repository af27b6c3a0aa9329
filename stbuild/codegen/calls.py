"""The table of code generation: which hls_lib process does an op, with which template arguments."""

from dataclasses import dataclass

from stbuild.ir.design import (
    Argmax,
    BlockRuns,
    Design,
    FanOut,
    Fork,
    LoopHead,
    LoopTail,
    Process,
    TakeLast,
)  # fmt: skip
from stbuild.ir.fixed import attention_scale, norm_epsilon
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
from stbuild.ir.types import ACTIVATION_FRAC, LANES, words_of

ONCE = BlockRuns(name="launch", count=1, head=False)
"""How often a process runs that belongs to the launch."""

Argument = int | bool


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call of `stb::function<arguments>`, declared in `stb/header`; `table` names a MapTable argument."""

    header: str
    function: str
    arguments: tuple[Argument, ...]
    results_first: bool = False
    table: str = ""

    def text(self, streams: tuple[str, ...]) -> str:
        """The C++ of the call on `streams`."""
        template = ", ".join(_literal(a) for a in self.arguments)
        operands = ", ".join((*streams, self.table) if self.table else streams)
        return (
            f"stb::{self.function}<{template}>({operands})"
            if template
            else f"stb::{self.function}({operands})"
        )


def call_of(process: Process, design: Design) -> Call:
    """The call that does `process`: a row per op of the graph, then those of the plumbing."""
    inputs = [design.stream(name) for name in process.reads]
    block = design.blocks[process.block] if process.block >= 0 else ONCE
    runs = (block.count, int(block.head))
    op = process.op
    frac = inputs[0].frac if inputs else ACTIVATION_FRAC
    match op:
        case Quantize():
            return _call("quantize", "quantize", *runs, op.width)
        case Norm():
            flags = (op.weight is not None, op.bias is not None)
            eps = norm_epsilon(op.eps, frac)
            return _call("norm", "norm", *runs, op.width, op.segment, op.center, frac, op.frac, *flags, eps)
        case Map():
            table = f"k_{process.name}"
            return Call(header="map", function="map", arguments=(*runs, whole(op.width)), table=table)
        case Affine():
            shift = op.shift + frac - op.frac
            return _call("pointwise", "affine", *runs, whole(op.width), op.multiplier, shift, op.addend)
        case Add():
            return _call("pointwise", "add", *runs, whole(op.width))
        case Mul():
            shift = frac + inputs[1].frac - op.frac
            return _call("pointwise", "mul", *runs, whole(op.width), shift)
        case Rescale():
            return _call("pointwise", "rescale", *runs, whole(op.width), frac - op.frac)
        case AddParam():
            return _call("params", "add_param", *runs, whole(op.width))
        case MulParam():
            return _call("params", "mul_param", *runs, whole(op.width), frac + ACTIVATION_FRAC - op.frac)
        case Rotary():
            head = (op.heads, op.head_dim, op.rotary_dim, op.interleaved)
            return _call("rotary", "rotary", *runs, *head, design.sizes.chunk)
        case Attention():
            sizes = (op.heads, op.kv_heads, op.head_dim, design.sizes.chunk, design.sizes.context)
            return _call("attention", "attention", block.count, *sizes, attention_scale(op.scale))
        case _:
            return _plumbing_of(process, design, runs)


def _plumbing_of(process: Process, design: Design, runs: tuple[int, int]) -> Call:
    """The call of a process that moves words as they are, or picks the token among the logits."""
    inputs = [design.stream(name) for name in process.reads]
    op = process.op
    match op:
        case Slice():
            return _call("plumbing", "slice", *runs, inputs[0].words * LANES, op.start, op.width)
        case Concat():
            parts = tuple(s.words * LANES for s in inputs)
            return Call(header="plumbing", function="concat", arguments=(*runs, *parts), results_first=True)
        case Fork():
            once = (1, 0) if op.once else runs
            return _call("plumbing", "fork", *once, op.words)
        case LoopHead():
            return _call("plumbing", "loop_head", runs[0], op.words)
        case LoopTail():
            return _call("plumbing", "loop_tail", runs[0], op.words)
        case TakeLast():
            return _call("plumbing", "take_last", op.words)
        case Argmax():
            return _call("sample", "argmax", op.words, design.vocab_size)
        case FanOut():
            return _call("plumbing", "fan_out")
        case _:
            raise TypeError(f"{type(op).__name__} is not a streaming process")


def whole(width: int) -> int:
    """`width` with the elements that fill its last word."""
    return words_of(width) * LANES


def _call(header: str, function: str, *arguments: Argument) -> Call:
    return Call(header=header, function=function, arguments=arguments)


def _literal(value: Argument) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if abs(value) < 2**31 else f"{value}LL"
