"""What expressions mean inside one inlined function: values of indices and bounds, places of arrays."""

from typing import Any

from clang.cindex import CursorKind as Kind

from hls_lint.tree import Node, kind_of
from hls_lint.values import Place, Value, Variable, calculate

Scope = dict[int, Value | Place]
"""What each parameter and local variable stands for, by its declaration."""
THIS = -1
"""The object of a method in a `Scope`."""
_OBJECTS = {"CONSTANTARRAY", "RECORD", "POINTER", "LVALUEREFERENCE", "RVALUEREFERENCE", "INCOMPLETEARRAY"}


class Evaluator:
    """Values and places; variables outside of any process are made when they are first met."""

    def __init__(self) -> None:
        self._outer: dict[int, Variable] = {}

    def value(self, node: Node, scope: Scope) -> Value:
        """The value of an integer expression."""
        if node.constant is not None:
            return Value(constant=node.constant)
        match node.kind:
            case Kind.DECL_REF_EXPR:
                found = scope.get(node.declared)
                return found if isinstance(found, Value) else Value.unknown(f"{node.name} {node.declared}")
            case Kind.BINARY_OPERATOR if len(node.children) == 2:
                return self._binary(node, scope)
            case Kind.CONDITIONAL_OPERATOR if len(node.children) == 3:
                return self._conditional(node, scope)
            case Kind.MEMBER_REF_EXPR:
                return Value.unknown(f"{node.name} {node.declared}")
        parts = [self.value(child, scope) for child in node.children]
        return Value.unknown(f"{node.name} {node.at}", *parts)

    def _conditional(self, node: Node, scope: Scope) -> Value:
        condition, *arms = (self.value(child, scope) for child in node.children)
        if condition.known is not None:
            return arms[0 if condition.known else 1]
        return _derived("?", condition, *arms)

    def _binary(self, node: Node, scope: Scope) -> Value:
        a, b = (self.value(child, scope) for child in node.children)
        if node.operator in "+-":
            return a.plus(b, 1 if node.operator == "+" else -1)
        if a.known is not None and b.known is not None:
            result = calculate(node.operator, a.known, b.known)
            if result is not None:
                return Value(constant=result)
        if node.operator == "*" and b.known is not None:
            return a.times(b.known)
        if node.operator == "*" and a.known is not None:
            return b.times(a.known)
        return _derived(node.operator, a, b)

    def enter_range(self, element: Node, elements: Node, scope: Scope, loop: int) -> None:
        """The variable of a `for` over an array is an element of it."""
        place = self.place(elements, scope)
        if place is not None:
            scope[element.declared] = place.element(Value.of_loop(loop))

    def place(self, node: Node, scope: Scope) -> Place | None:
        """What an lvalue denotes; None for a scalar and for what is no lvalue."""
        match node.kind:
            case Kind.DECL_REF_EXPR:
                found = scope.get(node.declared) or self._outside(node)
                return found if isinstance(found, Place) else None
            case Kind.CXX_THIS_EXPR:
                found = scope.get(THIS)
                return found if isinstance(found, Place) else None
            case Kind.MEMBER_REF_EXPR:
                found = self.place(node.children[0], scope) if node.children else scope.get(THIS)
                return found.member(node.name) if isinstance(found, Place) else None
            case Kind.ARRAY_SUBSCRIPT_EXPR:
                array, index = node.children
                found = self.place(array, scope)
                return found.element(self.value(index, scope)) if found else None
            case Kind.BINARY_OPERATOR if node.operator in "+-":
                found = self.place(node.children[0], scope)
                if found is None:
                    return None
                distance = self.value(node.children[1], scope)
                return found.moved(distance if node.operator == "+" else Value().plus(distance, -1))
            case Kind.UNARY_OPERATOR if node.operator in ("&", "*"):
                return self.place(node.children[0], scope)
        return None

    def _outside(self, node: Node) -> Place | None:
        """A port or a pointer of the kernel, a FIFO of it, or a constant array of a header."""
        declaration: Any = node.declaration
        if declaration is None or declaration.kind not in (Kind.VAR_DECL, Kind.PARM_DECL):
            return None
        if kind_of(declaration.type) not in _OBJECTS:
            return None
        if node.declared not in self._outer:
            constant = declaration.type.is_const_qualified() or "const" in declaration.type.spelling
            self._outer[node.declared] = Variable(
                name=node.name, type=declaration.type, at=Node(declaration).at, constant=constant
            )
        return Place(variable=self._outer[node.declared])


def _derived(operator: str, *parts: Value) -> Value:
    """A value that is no linear function of its parts; equal parts give equal values."""
    return Value.unknown(f"~{operator}{parts}", *parts)
