"""A call of hls_lib: which function, with which template arguments."""

from dataclasses import dataclass

Argument = int | bool


@dataclass(frozen=True, kw_only=True)
class TypeArgument:
    """A type for the template parameter `parameter`; it is declared in front of the kernel as `part`."""

    parameter: str
    part: str
    definition: str


@dataclass(frozen=True, kw_only=True)
class FunctionTable:
    """A `stb::MapTable` in front of the kernel: the last operand of the call."""

    about: str
    bases: tuple[int, ...]
    slopes: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call of `stb::function<arguments, types>`, declared in `stb/header.hpp`, on the process's streams.

    Each argument comes with the name of its template parameter, which stands beside it in the C++.
    """

    header: str
    function: str
    arguments: tuple[tuple[str, Argument], ...] = ()
    types: tuple[TypeArgument, ...] = ()
    table: FunctionTable | None = None
    results_first: bool = False


def call(header: str, function: str, *types: TypeArgument, **arguments: Argument) -> Call:
    """A call with named template arguments."""
    return Call(header=header, function=function, arguments=tuple(arguments.items()), types=types)
