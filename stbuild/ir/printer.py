"""A graph as text that a person reads: one op a line, what it reads, and its parameters."""

from collections.abc import Iterator, Mapping
from dataclasses import fields

from stbuild.ir.graph import Block, Graph
from stbuild.ir.op import Op
from stbuild.ir.param import Param

_COMMON = ("name", "width", "frac", "origin", "line")


def graph_text(graph: Graph) -> str:
    """The whole graph; ends with a newline."""
    lines = [f"graph {graph.name}: vocabulary {graph.vocab_size}, context {graph.context}"]
    lines += [f"table {t.name} [{graph.context}, {t.width}]" for t in graph.tables]
    for block in graph.blocks:
        sizes = {value.value: value.size for value in graph.padding if value.block == block.name}
        lines += ["", *block_lines(block, sizes)]
    return "\n".join(lines) + "\n"


def block_lines(block: Block, sizes: Mapping[str, int]) -> Iterator[str]:
    """A block: its head, its ops in order, and what it hands on.

    `sizes` are those that padded values have in the model.
    """
    times = f" x {block.count}" if block.count != 1 else ""
    yield f"block {block.name}{times}({', '.join(block.inputs)}) -> ({', '.join(block.outputs)})"
    names = max((len(op.name) for op in block.ops), default=0)
    for op in block.ops:
        padded = f"; {sizes[op.name]} elements in the model" if op.name in sizes else ""
        yield f"  {op.name:<{names}} : {op.width}.{op.frac} = {op_text(op)}{padded}"


def op_text(op: Op) -> str:
    """`linear(input_layernorm, weight=model.layers.*.q_proj.weight [576, 576])`."""
    parts = [*op.operands, *(f"{name}={param_text(p)}" for name, p in op.params), *_attributes(op)]
    return f"{type(op).__name__.lower()}({', '.join(parts)})"


def param_text(param: Param) -> str:
    """A parameter by its name (`*` for the run), its shape, and how it is used."""
    scale = f"{param.scale:g} * " if param.scale != 1 else ""
    offset = f"{param.offset:g} + " if param.offset else ""
    transposed = " transposed" if param.transposed else ""
    return f"{offset}{scale}{_common_name(param.names)} {list(param.shape)}{transposed}"


def _attributes(op: Op) -> Iterator[str]:
    for field in fields(op):
        value = getattr(op, field.name)
        hidden = field.name in (*_COMMON, *op.operand_fields) or not field.metadata.get("shown", True)
        if hidden or isinstance(value, Param) or value == field.default:
            continue
        yield f"{field.name}={value:.9g}" if isinstance(value, float) else f"{field.name}={value}"


def _common_name(names: tuple[str, ...]) -> str:
    parts = [n.split(".") for n in names]
    if any(len(p) != len(parts[0]) for p in parts):
        return f"{names[0]}, ..."
    return ".".join(p[0] if len(set(p)) == 1 else "*" for p in zip(*parts, strict=True))
