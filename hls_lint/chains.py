"""Selections in a row: each iteration of an unrolled loop waits for the one before."""

from collections.abc import Mapping, Sequence

from clang.cindex import CursorKind as Kind

from hls_lint.record import Loop, LoopKind
from hls_lint.tree import Node

SHORTEST = 8
"""Selections in a row that fit no cycle of 4 ns: each is a comparison and a multiplexer, about 0.5 ns."""


def chain_of(
    node: Node,
    to: Node,
    source: Node,
    loops: Sequence[Loop],
    depth_of: Mapping[int, int],
    conditions: Sequence[Node],
) -> tuple[str, int] | None:
    """The variable and the length, if `to` is selected from itself in unrolled loops.

    Sums are left out: the tool makes trees of integer additions by itself.
    """
    if to.kind == Kind.ARRAY_SUBSCRIPT_EXPR:
        return None
    root = to
    while root.kind == Kind.MEMBER_REF_EXPR and root.children:
        root = root.children[0]
    depth = depth_of.get(root.declared) if root.kind == Kind.DECL_REF_EXPR else None
    if depth is None:
        return None
    length = 1
    for loop in reversed(loops[depth:]):
        if loop.kind is not LoopKind.UNROLLED:
            break
        length *= loop.trip or 1
    if length < SHORTEST or not _selects(node, source, root, conditions):
        return None
    return root.name, length


def _selects(node: Node, source: Node, root: Node, conditions: Sequence[Node]) -> bool:
    """Whether the new value is chosen by the old one."""
    if node.operator in ("<<=", ">>=", "/=", "%="):
        return True
    if any(_names(condition, root) for condition in conditions):
        return True
    return source.kind in (Kind.CONDITIONAL_OPERATOR, Kind.CALL_EXPR) and _names(source, root)


def _names(node: Node, root: Node) -> bool:
    return any(n.kind == Kind.DECL_REF_EXPR and n.declared == root.declared for n in node.walk())
