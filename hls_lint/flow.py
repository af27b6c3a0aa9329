"""What a scalar is made of: the values that it adds up, and those that it waits for."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from clang.cindex import CursorKind as Kind

from hls_lint.tree import Node, kind_of

FLOATS = ("FLOAT", "DOUBLE", "LONGDOUBLE", "HALF")
_SUMS = ("+", "-", "&", "|", "^", ",")
_SHIFTS = ("<<", ">>")
_PRODUCTS = ("*", "/", "%", "*=", "/=", "%=")


@dataclass(frozen=True, kw_only=True)
class Made:
    """The scalars that a value depends on, by their declarations.

    Those `added` are terms of a sum, which the tool turns into a tree; what is `chosen` by another or
    multiplied waits for it; `slow` are those behind a product, a table or a float's sum: more than a cycle.
    """

    added: frozenset[int] = frozenset()
    chosen: frozenset[int] = frozenset()
    slow: frozenset[int] = frozenset()

    @property
    def all(self) -> frozenset[int]:
        """Every scalar."""
        return self.added | self.chosen

    def behind(self, slow: bool) -> "Made":
        """The same behind an operator that is no sum."""
        return Made(chosen=self.all, slow=self.slow | (self.all if slow else frozenset()))


def united(parts: Iterable[Made]) -> Made:
    """What all parts are made of."""
    found = Made()
    for part in parts:
        found = Made(
            added=found.added | part.added, chosen=found.chosen | part.chosen, slow=found.slow | part.slow
        )
    return found


@dataclass(kw_only=True)
class Flow:
    """Scalars of one process: what locals were made of, and what a parameter by reference stands for.

    `is_memory` says of an element whether a memory holds it; `element` gives one with constant indices a
    number as a scalar has, else 0. A local counts where it is made anew in each iteration of as many loops
    as `depth`: what is older is the same for all iterations.
    """

    is_memory: Callable[[Node], bool]
    element: Callable[[Node], int]
    _made: dict[int, tuple[int, Made]] = field(default_factory=dict)
    _names: dict[int, int] = field(default_factory=dict)

    def alias(self, parameter: int, argument: Node) -> None:
        """A parameter by reference is its argument."""
        self._names[parameter] = self.root(argument)

    def root(self, node: Node) -> int:
        """The declaration of the variable that an lvalue is, or is a member of; 0 for none."""
        while node.kind == Kind.MEMBER_REF_EXPR and node.children:
            node = node.children[0]
        if node.kind == Kind.ARRAY_SUBSCRIPT_EXPR:
            return self.element(node)
        if node.kind != Kind.DECL_REF_EXPR:
            return 0
        return self._names.get(node.declared, node.declared)

    def name(self, node: Node) -> str:
        """What the text calls that variable."""
        while node.kind in (Kind.MEMBER_REF_EXPR, Kind.ARRAY_SUBSCRIPT_EXPR) and node.children:
            node = node.children[0]
        return node.name

    def assign(self, root: int, made: Made, depth: int) -> None:
        """A scalar has a new value, inside so many loops."""
        self._made[root] = depth, Made() if root in made.all else made

    def of(self, node: Node, depth: int) -> Made:
        """What the value of an expression is made of."""
        if node.constant is not None:
            return Made()
        root = self.root(node)
        if root:
            made_at, known = self._made.get(root, (0, Made()))
            known = known if made_at >= depth else Made()
            return Made(added=known.added | {root}, chosen=known.chosen, slow=known.slow)
        parts = united(self.of(child, depth) for child in node.children)
        if node.kind == Kind.BINARY_OPERATOR and _is_wiring(node) and not _is_float(node):
            return parts
        return parts.behind(self._is_slow(node))

    def _is_slow(self, node: Node) -> bool:
        if node.kind == Kind.ARRAY_SUBSCRIPT_EXPR:
            return self.is_memory(node)
        return is_product(node) or (node.kind == Kind.BINARY_OPERATOR and _is_float(node))


def _is_wiring(node: Node) -> bool:
    """Whether it is a sum, or bits in other places."""
    return node.operator in _SUMS or (node.operator in _SHIFTS and node.children[1].constant is not None)


def is_product(node: Node) -> bool:
    """Whether it multiplies or divides by what is no power of two."""
    if node.operator not in _PRODUCTS:
        return False
    factors = [child.constant for child in node.children]
    return not any(f is not None and f > 0 and f & (f - 1) == 0 for f in factors)


def _is_float(node: Node) -> bool:
    return kind_of(node.cursor.type) in FLOATS


def adds_floats(node: Node, to: Node) -> bool:
    """Whether it adds to a float: no two such sums are taken in another order."""
    return node.operator in ("+=", "-=") and kind_of(to.cursor.type) in FLOATS
