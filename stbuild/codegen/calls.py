"""The calls of streaming processes as C++."""

from collections.abc import Iterator

from stbuild.codegen.identifiers import table, table_function, type_name
from stbuild.codegen.writer import function, number_table, wrapped
from stbuild.ir.call import Argument, Call, FunctionTable, TypeArgument
from stbuild.ir.design import BlockRuns, Design, Process
from stbuild.ir.streaming import CallSite, Streaming

ONCE = BlockRuns(name="launch", count=1, head=False)
"""How often a process runs that belongs to the launch."""


def call_of(process: Process, design: Design) -> Call:
    """The call that implements `process`."""
    if not isinstance(process.op, Streaming):
        raise TypeError(f"{type(process.op).__name__} is not a streaming process")
    inputs = [design.stream(name) for name in process.reads]
    block = design.blocks[process.block] if process.block >= 0 else ONCE
    return process.op.call(
        CallSite(
            fracs=tuple(stream.frac for stream in inputs),
            words=tuple(stream.words for stream in inputs),
            runs=block.count,
            head=block.head,
            chunk=design.sizes.chunk,
            context=design.sizes.context,
            vocab_size=design.vocab_size,
        )
    )


def call_text(process: Process, call: Call) -> str:
    """The call of `process` on its streams: a process with a table is called by a function around both."""
    if call.table is not None:
        return f"{table_function(process.name)}({', '.join((*process.inputs, *process.writes))})"
    if call.results_first:
        command = process.inputs[: len(process.inputs) - len(process.reads)]
        return _text(call, process.name, (*command, *process.writes, *process.reads))
    return _text(call, process.name, (*process.inputs, *process.writes))


def declarations(process: Process, call: Call) -> Iterator[str]:
    """What `process` needs declared before the kernel: its types, its table and its wrapper function."""
    yield from (type_declaration(process.name, argument) for argument in call.types)
    if call.table is not None:
        yield _table(process.name, call.table)
        ports = ("stb::Port<stb::Cmd>& cmd", "stb::Port<stb::Word>& x", "stb::Port<stb::Word>& y")
        inner = _text(call, process.name, ("cmd", "x", "y", table(process.name)))
        yield function(f"static void {table_function(process.name)}", ports, [f"{inner};"])


def type_declaration(process: str, argument: TypeArgument) -> str:
    """The C++ that gives a type of `process` its name."""
    return wrapped(f"using {type_name(process, argument.part)} = {argument.definition};", "    ")


def _text(call: Call, process: str, operands: tuple[str, ...]) -> str:
    numbers = (f"/*{name}=*/{_literal(value)}" for name, value in call.arguments)
    types = (f"/*{t.parameter}=*/{type_name(process, t.part)}" for t in call.types)
    template = ", ".join((*numbers, *types))
    return f"stb::{call.function}{f'<{template}>' if template else ''}({', '.join(operands)})"


def _table(process: str, values: FunctionTable) -> str:
    rows = [
        f"// {values.about}",
        f"static const stb::MapTable {table(process)} = {{",
        *(
            f"    {line}"
            for line in ("{", *number_table(values.bases), "},", "{", *number_table(values.slopes), "},")
        ),
        "};",
    ]
    return "\n".join(rows)


def _literal(value: Argument) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if abs(value) < 2**31 else f"{value}LL"
