"""clang's tree of one C++ file: expressions and statements, without casts and parentheses."""

import ctypes
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import clang.cindex as clang
from clang.cindex import CursorKind as Kind

from stbuild.errors import StbuildError

SHADOW = Path(__file__).parent / "shadow"
"""Headers that stand in the place of those that know the tool's words and streams."""
_TRANSPARENT = {
    Kind.UNEXPOSED_EXPR, Kind.PAREN_EXPR, Kind.CSTYLE_CAST_EXPR, Kind.CXX_STATIC_CAST_EXPR,
    Kind.CXX_FUNCTIONAL_CAST_EXPR, Kind.CXX_CONST_CAST_EXPR, Kind.CXX_REINTERPRET_CAST_EXPR,
}  # fmt: skip
_REFERENCES = {Kind.TYPE_REF, Kind.TEMPLATE_REF, Kind.NAMESPACE_REF, Kind.LABEL_REF}
_BINARY = (
    "", ".*", "->*", "*", "/", "%", "+", "-", "<<", ">>", "<=>", "<", ">", "<=", ">=", "==", "!=", "&", "^",
    "|", "&&", "||", "=", "*=", "/=", "%=", "+=", "-=", "<<=", ">>=", "&=", "^=", "|=", ",",
)  # fmt: skip
"""Spellings in the order of CXBinaryOperatorKind, which the binding does not have."""
_UNARY = ("", "x++", "x--", "++x", "--x", "&", "*", "+", "-", "~", "!")
"""The same for CXUnaryOperatorKind."""
_INTEGER = 1
"""CXEval_Int."""


def _library() -> Any:
    found = clang.conf.lib
    found.clang_Cursor_Evaluate.restype = ctypes.c_void_p
    found.clang_Cursor_Evaluate.argtypes = [clang.Cursor]
    found.clang_EvalResult_getKind.argtypes = [ctypes.c_void_p]
    found.clang_EvalResult_getAsLongLong.restype = ctypes.c_longlong
    found.clang_EvalResult_getAsLongLong.argtypes = [ctypes.c_void_p]
    found.clang_EvalResult_dispose.argtypes = [ctypes.c_void_p]
    found.clang_getCursorBinaryOperatorKind.argtypes = [clang.Cursor]
    found.clang_getCursorUnaryOperatorKind.argtypes = [clang.Cursor]
    return found


LIBRARY = _library()


class Node:
    """An expression or a statement."""

    def __init__(self, cursor: Any) -> None:
        self.cursor = _inside(cursor)
        self.kind = self.cursor.kind
        self.name: str = self.cursor.spelling

    @cached_property
    def children(self) -> "tuple[Node, ...]":
        """In the order of the text."""
        return tuple(Node(c) for c in self.cursor.get_children() if c.kind not in _REFERENCES)

    @cached_property
    def arguments(self) -> "tuple[Node, ...]":
        """Of a call."""
        return tuple(Node(c) for c in self.cursor.get_arguments() if c is not None)

    @cached_property
    def operator(self) -> str:
        """The spelling of a unary or binary operator, else nothing."""
        if self.kind in (Kind.BINARY_OPERATOR, Kind.COMPOUND_ASSIGNMENT_OPERATOR):
            return _BINARY[LIBRARY.clang_getCursorBinaryOperatorKind(self.cursor)]
        if self.kind == Kind.UNARY_OPERATOR:
            return _UNARY[LIBRARY.clang_getCursorUnaryOperatorKind(self.cursor)]
        return ""

    @cached_property
    def declaration(self) -> Any:
        """What a name, a member or a call refers to, instantiated; None for nothing."""
        found = self.cursor.referenced
        return None if found is None else found.get_definition() or found

    @cached_property
    def declared(self) -> int:
        """The identity of the declaration of a variable, a parameter, or what a name refers to."""
        if self.kind in (Kind.VAR_DECL, Kind.PARM_DECL):
            return int(self.cursor.hash)
        found = self.cursor.referenced
        return 0 if found is None else int(found.hash)

    @cached_property
    def constant(self) -> int | None:
        """Its value where clang can tell it."""
        if not self.kind.is_expression():
            return None
        result = LIBRARY.clang_Cursor_Evaluate(self.cursor)
        if not result:
            return None
        integer = LIBRARY.clang_EvalResult_getKind(result) == _INTEGER
        value = int(LIBRARY.clang_EvalResult_getAsLongLong(result)) if integer else None
        LIBRARY.clang_EvalResult_dispose(result)
        return value

    @property
    def at(self) -> str:
        """File and line, that of the macro for what a macro wrote."""
        place = self.cursor.location
        return f"{Path(place.file.name).name if place.file else '?'}:{place.line}"

    def walk(self) -> "Iterator[Node]":
        """Itself and all below."""
        yield self
        for child in self.children:
            yield from child.walk()


def _inside(cursor: Any) -> Any:
    while cursor.kind in _TRANSPARENT:
        below = [c for c in cursor.get_children() if c.kind not in _REFERENCES]
        if not below:
            return cursor
        cursor = below[-1]
    return cursor


def kernel_of(path: Path, include: Path) -> Node:
    """The body of the one function that is `extern "C"` in a file; headers come from `include`."""
    flags = ["-x", "c++", "-std=c++17", "-nostdinc", "-nostdinc++", "-w", "-DSTB_SYNTHESIS"]
    unit = clang.Index.create().parse(str(path), [*flags, f"-I{SHADOW}", f"-I{include}"])
    for problem in unit.diagnostics:
        if problem.severity >= clang.Diagnostic.Error:
            place = problem.location
            raise StbuildError(problem.spelling, where=f"{place.file}:{place.line}")
    tops = [f for f in _functions(unit.cursor) if str(f.location.file) == str(path)]
    if len(tops) != 1:
        raise StbuildError(
            f'{len(tops)} functions are extern "C"', where=str(path), hint="a kernel's file has one"
        )
    return Node(next(c for c in tops[0].get_children() if c.kind == Kind.COMPOUND_STMT))


def _functions(cursor: Any) -> Iterator[Any]:
    for child in cursor.get_children():
        if child.kind in (Kind.LINKAGE_SPEC, Kind.UNEXPOSED_DECL):
            yield from (c for c in child.get_children() if c.kind == Kind.FUNCTION_DECL and c.is_definition())


def kind_of(type_: Any) -> str:
    """clang's word for a type."""
    return str(type_.get_canonical().kind.name)


def is_port(node: Node) -> bool:
    """Whether a call reads or writes a stream."""
    if node.name not in ("read", "write") or node.declaration is None:
        return False
    parent = node.declaration.semantic_parent
    return parent is not None and parent.spelling == "Port"
