"""Loops and the markers in them: what becomes of a loop, and of the nest that it stands in."""

from collections.abc import Iterator, Sequence

from clang.cindex import CursorKind as Kind

from hls_lint.record import Loop, LoopKind
from hls_lint.tree import Node
from hls_lint.values import Value

FORS = (Kind.FOR_STMT, Kind.CXX_FOR_RANGE_STMT)
LOOPS = (*FORS, Kind.WHILE_STMT, Kind.DO_STMT)
_MARKERS = "stb_lint"
"""The namespace of the markers; see shadow/stb/pipeline.hpp."""


def marker(node: Node) -> str | None:
    """The name of a marker."""
    if node.kind != Kind.CALL_EXPR or node.declaration is None:
        return None
    parent = node.declaration.semantic_parent
    return node.name if parent is not None and parent.spelling == _MARKERS else None


def marks_of(loop: Node) -> dict[str, Node]:
    """The markers in the body of a loop."""
    return {name: s for s in _body(loop) if (name := marker(s)) is not None}


def kind_of_loop(marks: dict[str, Node], around: Sequence[Loop]) -> LoopKind:
    """Loops inside a pipeline are unrolled, marked or not."""
    if "unroll" in marks or any(x.kind is LoopKind.PIPELINED for x in around):
        return LoopKind.UNROLLED
    return LoopKind.PIPELINED if "pipeline" in marks else LoopKind.PLAIN


def can_unroll(bounds: tuple[Value, Value] | None, around: Sequence[Loop]) -> bool:
    """Whether the bounds are constants once the loops around it are unrolled."""
    unrolled = {x.number for x in around if x.kind is LoopKind.UNROLLED}
    return bounds is not None and all(not b.at_run_time and b.loops <= unrolled for b in bounds)


def is_perfect(loop: Node) -> bool:
    """Whether its body is one loop and nothing else."""
    body = [s for s in _body(loop) if marker(s) is None]
    if len(body) != 1:
        return False
    return (body[0].children[-1] if body[0].kind == Kind.LABEL_STMT else body[0]).kind in LOOPS


def _body(loop: Node) -> Iterator[Node]:
    body = loop.children[-1]
    return iter(body.children if body.kind == Kind.COMPOUND_STMT else (body,))
