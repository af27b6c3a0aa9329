"""The table of code generation: which hls_lib process does an op, with which template arguments."""

from dataclasses import dataclass, replace

from stbuild.codegen.identifiers import table
from stbuild.codegen.named_types import NamedType, attention_types, rotary_types
from stbuild.ir.design import BlockRuns, Design, Process
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
from stbuild.ir.plumbing import Argmax, FanOut, Fork, LoopHead, LoopTail, TakeLast
from stbuild.ir.types import ACTIVATION_FRAC, LANES, words_of

ONCE = BlockRuns(name="launch", count=1, head=False)
"""How often a process runs that belongs to the launch."""

Argument = int | bool


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call of `stb::function<arguments>`, declared in `stb/header`; `table` names a MapTable argument.

    `types` are arguments behind the others that are types, to be declared in front of the kernel.

    Each template argument comes with the name of its parameter, which stands beside it in the C++.
    """

    header: str
    function: str
    arguments: tuple[tuple[str, Argument], ...]
    results_first: bool = False
    table: str = ""
    types: tuple[NamedType, ...] = ()

    def text(self, streams: tuple[str, ...]) -> str:
        """The C++ of the call on `streams`."""
        numbers = (f"/*{name}=*/{_literal(value)}" for name, value in self.arguments)
        template = ", ".join((*numbers, *(f"/*{t.parameter}=*/{t.name}" for t in self.types)))
        operands = ", ".join((*streams, self.table) if self.table else streams)
        return f"stb::{self.function}{f'<{template}>' if template else ''}({operands})"


def call_of(process: Process, design: Design) -> Call:
    """The call that does `process`: a row per op of the graph, then those of the plumbing."""
    inputs = [design.stream(name) for name in process.reads]
    block = design.blocks[process.block] if process.block >= 0 else ONCE
    runs = {"RUNS": block.count, "ROLE": int(block.head)}
    op = process.op
    frac = inputs[0].frac if inputs else ACTIVATION_FRAC
    match op:
        case Quantize():
            return _call("quantize", "quantize", **runs, WIDTH=op.width)
        case Norm():
            return _call(
                "norm", "norm", **runs, WIDTH=op.width, SEGMENT=op.segment, CENTER=op.center, FIN=frac,
                FOUT=op.frac, HAS_WEIGHT=op.weight is not None, HAS_BIAS=op.bias is not None,
                EPS=norm_epsilon(op.eps, frac),
            )  # fmt: skip
        case Rotary():
            call = _call(
                "rotary", "rotary", **runs, HEADS=op.heads, HEAD_DIM=op.head_dim, ROTARY_DIM=op.rotary_dim,
                INTERLEAVED=op.interleaved, CHUNK=design.sizes.chunk,
            )  # fmt: skip
            return replace(call, types=rotary_types(op, process.name, inputs[1].words))
        case Attention():
            call = _call(
                "attention", "attention" if op.sinks is None else "attention_with_sinks", RUNS=block.count,
                HEADS=op.heads, KV_HEADS=op.kv_heads, HEAD_DIM=op.head_dim, CHUNK=design.sizes.chunk,
                CONTEXT=design.sizes.context, C=attention_scale(op.scale),
            )  # fmt: skip
            return replace(call, types=attention_types(op, process.name))
        case _:
            return _elementwise_of(process, design, runs) or _plumbing_of(process, design, runs)


def _elementwise_of(process: Process, design: Design, runs: dict[str, int]) -> Call | None:
    """The call of a process that does the same to every element; None for any other."""
    inputs = [design.stream(name) for name in process.reads]
    op = process.op
    frac = inputs[0].frac if inputs else ACTIVATION_FRAC
    match op:
        case Map():
            return replace(_call("map", "map", **runs, WIDTH=whole(op.width)), table=table(process.name))
        case Affine():
            return _call(
                "pointwise", "affine", **runs, WIDTH=whole(op.width), MULTIPLIER=op.multiplier,
                SHIFT=op.shift + frac - op.frac, ADDEND=op.addend,
            )  # fmt: skip
        case Add():
            return _call("pointwise", "add", **runs, WIDTH=whole(op.width))
        case Mul():
            shift = frac + inputs[1].frac - op.frac
            return _call("pointwise", "mul", **runs, WIDTH=whole(op.width), SHIFT=shift)
        case Rescale():
            return _call("pointwise", "rescale", **runs, WIDTH=whole(op.width), SHIFT=frac - op.frac)
        case AddParam():
            return _call("params", "add_param", **runs, WIDTH=whole(op.width))
        case MulParam():
            shift = frac + ACTIVATION_FRAC - op.frac
            return _call("params", "mul_param", **runs, WIDTH=whole(op.width), SHIFT=shift)
        case _:
            return None


def _plumbing_of(process: Process, design: Design, runs: dict[str, int]) -> Call:
    """The call of a process that moves words as they are, or picks the token among the logits."""
    inputs = [design.stream(name) for name in process.reads]
    op = process.op
    match op:
        case Slice():
            return _call(
                "plumbing", "slice", **runs, WIDTH_IN=inputs[0].words * LANES, START=op.start,
                WIDTH_OUT=op.width,
            )  # fmt: skip
        case Concat():
            widths = tuple(("WIDTHS", s.words * LANES) for s in inputs)
            arguments = (*runs.items(), *widths)
            return Call(header="plumbing", function="concat", arguments=arguments, results_first=True)
        case Fork():
            times = {"RUNS": 1, "ROLE": 0} if op.once else runs
            return _call("plumbing", "fork", **times, WORDS=op.words)
        case LoopHead():
            return _call("plumbing", "loop_head", RUNS=runs["RUNS"], WORDS=op.words)
        case LoopTail():
            return _call("plumbing", "loop_tail", RUNS=runs["RUNS"], WORDS=op.words)
        case TakeLast():
            return _call("plumbing", "take_last", WORDS=op.words)
        case Argmax():
            return _call("sample", "argmax", WORDS=op.words, VALID=design.vocab_size)
        case FanOut():
            return _call("plumbing", "fan_out")
        case _:
            raise TypeError(f"{type(op).__name__} is not a streaming process")


def whole(width: int) -> int:
    """`width` with the elements that fill its last word."""
    return words_of(width) * LANES


def _call(header: str, function: str, **arguments: Argument) -> Call:
    return Call(header=header, function=function, arguments=tuple(arguments.items()))


def _literal(value: Argument) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if abs(value) < 2**31 else f"{value}LL"
