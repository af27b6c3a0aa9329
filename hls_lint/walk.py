"""Walks a process as HLS builds it: every call inlined, every loop in the place where it runs."""

from typing import Any

from clang.cindex import CursorKind as Kind

from hls_lint.evaluate import THIS, Evaluator, Scope
from hls_lint.nest import FORS, LOOPS, can_unroll, is_perfect, kind_of_loop, marker, marks_of
from hls_lint.record import Access, Branch, Division, Loop, LoopKind, Process, Transfer
from hls_lint.scalars import Scalars
from hls_lint.tree import Node, is_port, kind_of
from hls_lint.trips import RANGE, bounds, header, length_of_range, range_of, trip_count
from hls_lint.values import Place, Value, Variable

_REFERENCES = ("LVALUEREFERENCE", "RVALUEREFERENCE", "POINTER", "INCOMPLETEARRAY", "CONSTANTARRAY")
_DEEPEST = 80
"""Calls inside each other; more are a recursion that no hardware has."""


def processes_of(kernel: Node) -> list[Process]:
    """A record for each call in a kernel's body."""
    calls = [s for s in kernel.children if s.kind == Kind.CALL_EXPR and marker(s) is None]
    return [_Walker(name=call.name).run(call) for call in calls]


class _Walker:
    """One process; `_loops` and `_branch` are where it is."""

    def __init__(self, name: str) -> None:
        self._found = Process(name=name)
        self._evaluate = Evaluator()
        self._loops: list[Loop] = []
        self._branch: list[tuple[int, int]] = []
        self._conditions: list[Node] = []
        self._scalars = Scalars(self._found, self._evaluate, self._loops, self._conditions)
        self._calls = 0
        self._last = -1

    def run(self, call: Node) -> Process:
        self._call(call, {})
        return self._found

    # Statements.

    def _statement(self, node: Node, scope: Scope, *, label: str = "", entered: bool = False) -> None:
        if node.kind == Kind.COMPOUND_STMT:
            self._block(node, scope)
        elif node.kind == Kind.LABEL_STMT:
            self._statement(node.children[-1], scope, label=node.name, entered=entered)
        elif node.kind == Kind.DECL_STMT:
            for variable in node.children:
                if variable.kind == Kind.VAR_DECL:
                    self._declare(variable, scope)
        elif node.kind in LOOPS:
            self._loop(node, scope, label or node.at, entered)
        elif node.kind == Kind.IF_STMT:
            self._if(node, scope)
        elif node.kind.is_expression():
            self._read(node, scope)
        else:
            for child in node.children:
                self._statement(child, scope)

    def _block(self, node: Node, scope: Scope) -> None:
        entered = False
        for child in node.children:
            self._statement(child, scope, entered=entered)
            entered = marker(child) == "enter" or (entered and child.kind == Kind.DECL_STMT)

    def _if(self, node: Node, scope: Scope) -> None:
        condition, *arms = node.children
        known = self._evaluate.value(condition, scope).known
        if known is not None:
            arm = arms[:1] if known else arms[1:2]
            for each in arm:
                self._statement(each, scope)
            return
        self._read(condition, scope)
        self._conditions.append(condition)
        for number, each in enumerate(arms):
            self._branch.append((id(node), number))
            self._statement(each, scope)
            self._branch.pop()
        self._conditions.pop()

    def _declare(self, node: Node, scope: Scope) -> None:
        self._scalars.declare(node)
        kind = kind_of(node.cursor.type)
        start = node.children[-1] if node.children and node.children[-1].kind.is_expression() else None
        if kind in ("LVALUEREFERENCE", "POINTER") and start is not None:
            place = self._evaluate.place(start, scope)
            if place is not None:
                scope[node.declared] = place
                self._indices(start, scope)
                return
        if kind in ("CONSTANTARRAY", "RECORD"):
            self._declare_object(node, scope)
            if start is not None:
                self._read(start, scope)
            return
        if start is not None:
            self._read(start, scope)
            self._scalars.make(node, start, scope)
            value = self._evaluate.value(start, scope)
            constant = node.cursor.type.is_const_qualified()
            scope[node.declared] = value if constant else Value.unknown(f"{node.name} {node.declared}", value)

    def _declare_object(self, node: Node, scope: Scope) -> None:
        around = frozenset(loop.number for loop in self._loops)
        variable = Variable(name=node.name, type=node.cursor.type, at=node.at, loops=around)
        self._found.variables.append(variable)
        scope[node.declared] = Place(variable=variable)

    # Loops.

    def _loop(self, node: Node, scope: Scope, label: str, entered: bool) -> None:
        marks = marks_of(node)
        self._last += 1
        loop = Loop(
            number=self._last, label=label, at=node.at, entered=entered,
            kind=kind_of_loop(marks, self._loops),
            trip=length_of_range(node) or trip_count(node, lambda n: self._evaluate.value(n, scope)),
        )  # fmt: skip
        if loop.kind is LoopKind.PIPELINED:
            loop.ii = self._evaluate.value(marks["pipeline"].arguments[0], scope).known or 1
            if "tick" in marks:
                loop.charged = self._evaluate.value(marks["tick"].arguments[0], scope).known
            self._found.pipelines.append((loop, tuple(self._loops)))
        found = bounds(node, lambda n: self._evaluate.value(n, scope))
        if loop.kind is LoopKind.UNROLLED and loop.trip is None and not can_unroll(found, self._loops):
            self._found.unbounded.append(loop)
        loop.flattens = is_perfect(node)
        self._enter(node, scope, loop)
        if loop.kind is LoopKind.PLAIN and loop.number == self._last and node.kind in FORS:
            self._found.unmarked.append(loop)

    def _enter(self, node: Node, scope: Scope, loop: Loop) -> None:
        variable, condition, step = header(node) if node.kind == Kind.FOR_STMT else (None, None, None)
        if node.kind == RANGE:
            self._evaluate.enter_range(*range_of(node), scope, loop.number)
        if variable is not None:
            if variable.children:
                self._read(variable.children[-1], scope)
            linear = condition is not None and step is not None
            self._scalars.declare(variable)
            here = Value.of_loop(loop.number)
            scope[variable.declared] = here if linear else Value.unknown(f"{variable.name} {loop.number}")
        self._loops.append(loop)
        for part in node.children[:-1]:
            if part.kind.is_expression() and part is not step:
                self._read(part, scope)
        self._statement(node.children[-1], scope)
        self._loops.pop()

    # Expressions.

    def _read(self, node: Node, scope: Scope) -> None:
        """An expression whose value is used."""
        if node.constant is not None:
            return
        if node.kind in (Kind.ARRAY_SUBSCRIPT_EXPR, Kind.MEMBER_REF_EXPR):
            self._access(node, scope, write=False)
            self._indices(node, scope)
        elif node.operator == "=" or node.kind == Kind.COMPOUND_ASSIGNMENT_OPERATOR:
            self._assign(node, node.children[0], node.children[1], scope)
        elif node.kind == Kind.UNARY_OPERATOR and node.operator in ("x++", "x--", "++x", "--x"):
            self._access(node.children[0], scope, write=True)
            self._read(node.children[0], scope)
        elif node.kind == Kind.CALL_EXPR:
            self._call(node, scope)
        elif not self._decided(node, scope):
            self._divides(node, scope)
            for child in node.children:
                self._read(child, scope)

    def _decided(self, node: Node, scope: Scope) -> bool:
        """A conditional expression of which only one arm exists."""
        if node.kind != Kind.CONDITIONAL_OPERATOR:
            return False
        known = self._evaluate.value(node.children[0], scope).known
        if known is None:
            return False
        self._read(node.children[1 if known else 2], scope)
        return True

    def _assign(self, node: Node, to: Node, source: Node, scope: Scope) -> None:
        self._read(source, scope)
        self._indices(to, scope)
        if node.operator != "=":
            self._access(to, scope, write=False)
            self._divides(node, scope)
        self._access(to, scope, write=True)
        self._scalars.assign(node, to, source, scope, self._here(node))

    def _access(self, node: Node, scope: Scope, *, write: bool) -> None:
        place = self._evaluate.place(node, scope)
        if place is not None and place.indices:
            self._found.accesses.append(Access(**self._here(node), place=place, write=write))

    def _indices(self, node: Node, scope: Scope) -> None:
        """What an lvalue reads to be found."""
        if node.kind == Kind.ARRAY_SUBSCRIPT_EXPR:
            self._indices(node.children[0], scope)
            self._read(node.children[1], scope)
        elif node.kind == Kind.MEMBER_REF_EXPR:
            for child in node.children:
                self._indices(child, scope)
        elif node.kind != Kind.DECL_REF_EXPR:
            self._read(node, scope)

    def _divides(self, node: Node, scope: Scope) -> None:
        if node.operator not in ("/", "%", "/=", "%="):
            return
        a, b = (self._evaluate.value(child, scope) for child in node.children)
        if b.known is not None and b.known > 0 and b.known & (b.known - 1) == 0:
            return
        copies = {x.number for x in self._loops if x.kind is LoopKind.UNROLLED}
        if not (a.at_run_time or b.at_run_time) and a.loops | b.loops <= copies:
            return
        by = "a variable" if b.known is None else str(b.known)
        text = f"{8 * node.cursor.type.get_size()}-bit {node.operator.rstrip('=')} by {by}"
        self._found.divisions.append(Division(**self._here(node), text=text))

    # Calls.

    def _call(self, node: Node, scope: Scope) -> None:
        mark = marker(node)
        if mark is not None:
            self._mark(mark, node, scope)
        elif node.name == "operator=" and len(node.arguments) == 2:
            self._assign(node, node.arguments[0], node.arguments[1], scope)
        elif is_port(node):
            self._transfer(node, scope)
        elif node.declaration is None:
            for argument in node.arguments:
                self._read(argument, scope)
        else:
            self._inline(node, scope)

    def _mark(self, mark: str, node: Node, scope: Scope) -> None:
        place = self._evaluate.place(node.arguments[0], scope) if node.arguments else None
        if place is None:
            return
        found = self._found
        match mark:
            case "partition":
                dimension = node.arguments[1].constant or 0
                found.partitions[place.array].add(dimension + len(place.indices) if dimension else 0)
            case "bind":
                found.bound.add(place.array)
            case "rom":
                found.roms.add(place.array)
            case "depends":
                found.distances[place.array] = self._evaluate.value(node.arguments[1], scope).known or 0

    def _transfer(self, node: Node, scope: Scope) -> None:
        for argument in node.arguments:
            self._read(argument, scope)
        place = self._evaluate.place(node.children[0].children[0], scope)
        name = place.variable.name if place else "a port"
        self._found.transfers.append(Transfer(**self._here(node), port=name, write=node.name == "write"))

    def _inline(self, node: Node, scope: Scope) -> None:
        function = node.declaration
        body = next((c for c in function.get_children() if c.kind == Kind.COMPOUND_STMT), None)
        parameters = [c for c in function.get_children() if c.kind == Kind.PARM_DECL]
        inside: Scope = {}
        for parameter, argument in zip(parameters, node.arguments, strict=False):
            inside[int(parameter.hash)] = self._pass(parameter, argument, scope, opaque=body is None)
            self._scalars.bind(parameter, argument, scope)
        if node.children and node.children[0].kind == Kind.MEMBER_REF_EXPR:
            below = node.children[0].children
            target = self._evaluate.place(below[0], scope) if below else scope.get(THIS)
            if isinstance(target, Place):
                inside[THIS] = target
        if body is None or function.kind == Kind.CONSTRUCTOR or self._calls > _DEEPEST:
            return
        self._calls += 1
        self._statement(Node(body), inside)
        self._calls -= 1

    def _pass(self, parameter: Any, argument: Node, scope: Scope, *, opaque: bool) -> Value | Place:
        """An argument by reference stays a place; what has no body reads it, and writes what is not const."""
        place = self._evaluate.place(argument, scope)
        kind = kind_of(parameter.type)
        if place is None or kind not in _REFERENCES:
            self._read(argument, scope)
            return self._evaluate.value(argument, scope)
        self._indices(argument, scope)
        if opaque and kind == "LVALUEREFERENCE":
            self._access(argument, scope, write=False)
            if not parameter.type.get_pointee().is_const_qualified():
                self._access(argument, scope, write=True)
        return place

    def _here(self, node: Node) -> dict[str, Any]:
        branch: Branch = tuple(self._branch)
        return {"at": node.at, "loops": tuple(self._loops), "branch": branch}
