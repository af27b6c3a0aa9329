"""Reads the generated C++ of one kernel: its ports, pragmas, FIFOs, and the calls of its dataflow region."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

TOP = re.compile(r'extern "C" void (\w+)\(\n(.*?)\) \{\n(.*?)\n\}\n', re.DOTALL)
PRAGMA = re.compile(r"#pragma HLS (\w+)(.*)")
OPTION = re.compile(r"(\w+) = (\w+)")
FIFO = re.compile(r"STB_FIFO\((\S+), (\w+), (\d+)\)")
PREFETCH = re.compile(r"STB_PREFETCH\((\w+), (\w+), (\d+), (?:bram|uram)\)")
CALL = re.compile(r"STB_CALL\((\w+), \(((?:stb::)?\w+)(?:<([^()]*)>)?\((.*)\)\)\)")
BREAK = re.compile(r"\n {6,}")
NAME = re.compile(r"/\*\w+=\*/")
PARAMETER = re.compile(r"(const )?(\S+?)([*&]?) (\w+)")


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of a kernel; `kind` is "stream", "pointer", "const pointer" or "scalar"."""

    name: str
    kind: str

    @classmethod
    def of(cls, text: str) -> Self:
        """A parameter from its C++."""
        found = PARAMETER.fullmatch(text.strip())
        assert found, f"not a parameter: {text}"
        const, kind, mark, name = found.groups()
        kinds = {"*": f"{const or ''}pointer", "&": "stream", "": "scalar"}
        assert (mark == "&") == kind.startswith("stb::Port<"), f"neither stream nor memory nor number: {text}"
        return cls(name=name, kind=kinds[mark])


@dataclass(frozen=True, kw_only=True)
class Pragma:
    """An HLS pragma: its directive, and what stands behind it."""

    directive: str
    options: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Fifo:
    """A stream that the kernel declares."""

    name: str
    depth: int


@dataclass(frozen=True, kw_only=True)
class ProcessCall:
    """One call of the dataflow region: hls_lib's function, its template arguments, its operands."""

    process: str
    function: str
    template: tuple[str, ...]
    operands: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class KernelText:
    """A kernel as it is written; `others` are the lines of its body that are none of the known kinds."""

    name: str
    parameters: tuple[Parameter, ...]
    pragmas: tuple[Pragma, ...]
    fifos: tuple[Fifo, ...]
    calls: tuple[ProcessCall, ...]
    others: tuple[str, ...]


def one_line_each(text: str) -> str:
    """The same text with each statement on a line of its own, without the names of template arguments."""
    return NAME.sub("", BREAK.sub(" ", text))


def read_kernel(text: str) -> KernelText:
    """The only function of the file that is `extern "C"`."""
    tops = TOP.findall(one_line_each(text))
    assert len(tops) == 1, f"{len(tops)} functions are extern C"
    name, parameters, body = tops[0]
    lines = list(_expanded([line.strip() for line in body.split("\n") if line.strip()]))
    return KernelText(
        name=name,
        parameters=tuple(Parameter.of(p) for p in parameters.split(",\n")),
        pragmas=tuple(_pragmas(lines)),
        fifos=tuple(Fifo(name=f[2], depth=int(f[3])) for line in lines if (f := FIFO.fullmatch(line))),
        calls=tuple(_calls(lines)),
        others=tuple(line for line in lines if not any(p.fullmatch(line) for p in (PRAGMA, FIFO, CALL))),
    )


def _expanded(lines: list[str]) -> Iterator[str]:
    """STB_PREFETCH as what it stands for: a FIFO and the process that fills it."""
    for line in lines:
        if found := PREFETCH.fullmatch(line):
            name, source, depth = found.groups()
            yield f"STB_FIFO(stb::Word, {name}, {depth})"
            yield f"STB_CALL(move_{name}, (stb::prefetch({source}, {name})))"
        else:
            yield line


def _pragmas(lines: list[str]) -> Iterator[Pragma]:
    for line in lines:
        if found := PRAGMA.fullmatch(line):
            yield Pragma(directive=found[1], options=dict(OPTION.findall(found[2])))


def _calls(lines: list[str]) -> Iterator[ProcessCall]:
    for line in lines:
        if found := CALL.fullmatch(line):
            process, function, template, operands = found.groups()
            yield ProcessCall(
                process=process,
                function=function.removeprefix("stb::"),
                template=tuple(template.split(", ")) if template else (),
                operands=tuple(operands.split(", ")),
            )
