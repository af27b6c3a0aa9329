"""From the ATen graph of one token to a flat list of ops: the driver and its table of lowerings.

A family of operators has a module `lower_*` of its own; each entry of its `TABLE` takes a `Call` and
gives a value. What depends on the position alone is left to `static`.
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import BuiltinFunctionType

import numpy as np
import torch
from torch.export.graph_signature import InputKind, InputSpec, OutputKind

from stbuild.errors import StbuildError
from stbuild.frontend import (
    lower_attention,
    lower_layout,
    lower_linear,
    lower_minmax,
    lower_norm,
    lower_parameters,
    lower_pointwise,
    lower_scores,
)
from stbuild.frontend.arguments import check_arguments, check_shape
from stbuild.frontend.builder import Builder, NoLowering
from stbuild.frontend.call import Call, Lowering, TableRows, UsedMask
from stbuild.frontend.model_code import model_line
from stbuild.frontend.source_location import SourceLocation
from stbuild.frontend.static import Statics
from stbuild.frontend.trace import TracedModel
from stbuild.frontend.untyped import FxTarget, FxValue
from stbuild.frontend.values import CacheMemory, Static, Tokens, Value, Weight
from stbuild.ir.derived import Derived
from stbuild.ir.op import Op

LOWERED = (
    "linear layers, embeddings, RMS and layer norm, functions of one variable, sums and products,"
    " slices and concatenations, rotary embedding and causal attention over the KV cache"
)
"""What exists, for the message about what does not."""
TABLE: dict[FxTarget, Callable[[Call], FxValue]] = {
    **lower_layout.TABLE, **lower_linear.TABLE, **lower_norm.TABLE, **lower_attention.TABLE,
    **lower_pointwise.TABLE, **lower_scores.TABLE, **lower_minmax.TABLE,
}  # fmt: skip
_NO_PARAMETERS = (lower_layout.filled, lower_linear.embedding)
"""What takes from a parameter its shape alone, or its rows."""
_IGNORED = {torch.ops.aten._assert_tensor_metadata.default, torch.ops.aten._assert_scalar.default}
_FRAME = re.compile(r'File "([^"]+)", line (\d+)')


@dataclass(frozen=True, kw_only=True)
class FlatModel:
    """All ops of one token in order, with provisional names, and what depends on the position.

    `tables` maps a table's name to its rows (cos, sin); `masks` are the attention masks in use; `tokens` is
    how many the traced call had; `derived` are the tensors that are computed from parameters.
    """

    ops: tuple[Op, ...]
    logits: str
    tables: TableRows
    masks: tuple[UsedMask, ...]
    tokens: int
    derived: tuple[Derived, ...] = ()


def lower(traced: TracedModel) -> FlatModel:
    """Lower a traced model; an operator without a lowering is an error that names its source."""
    low = Lowering(
        builder=Builder(tokens=traced.tokens), statics=Statics(), context=traced.context, names=traced.names
    )
    _refuse_mutations(traced)
    values: dict[torch.fx.Node, FxValue] = {}
    specs = iter(traced.program.graph_signature.input_specs)
    positional = _inputs(traced)
    for node in traced.program.graph.nodes:
        if node.op == "placeholder":
            values[node] = _input(low, next(specs), traced, positional)
        elif node.op == "call_function" and node.target not in _IGNORED:
            values[node] = _lower_node(low, node, values)
        elif node.op == "output":
            return _finished(low, values[_first_result(traced, node)])
    raise AssertionError("an exported graph ends with its output")


def _inputs(traced: TracedModel) -> dict[str, FxValue]:
    """What the inputs of a call are, by the order in which the wrapper takes them."""
    names = [s.arg.name for s in traced.program.graph_signature.input_specs if s.kind is InputKind.USER_INPUT]
    memory = [CacheMemory(name=n) for n in names[2:]]
    tokens = Tokens(index=np.arange(traced.tokens)[None])
    return dict(zip(names, [tokens, "positions", *memory], strict=True))


def _input(low: Lowering, spec: InputSpec, traced: TracedModel, positional: dict[str, FxValue]) -> Value:
    program = traced.program
    match spec.kind:
        case InputKind.PARAMETER:
            name = traced.names[str(spec.target).removeprefix("model.")]
            shape = tuple(program.state_dict[str(spec.target)].shape)
            low.builder.derivations.shapes[name] = shape
            return Weight(name=name, shape=shape)
        case InputKind.USER_INPUT:
            value: Value | str = positional[spec.arg.name]
            return low.statics.position() if isinstance(value, str) else value
    target = str(spec.target)
    tensor = program.state_dict[target] if target in program.state_dict else program.constants[target]
    assert isinstance(tensor, torch.Tensor)
    return low.statics.constant(tensor)


def _lower_node(low: Lowering, node: torch.fx.Node, values: dict[torch.fx.Node, FxValue]) -> FxValue:
    args, kwargs = _resolved(node.args, values), _resolved(node.kwargs, values)
    if node.target is operator.getitem:
        return _item(low, *args)
    low.builder.place = SourceLocation(
        operator=_operator(node.target), module=_module(node), line=source_line(node)
    )
    static = _all_static((args, kwargs))
    if _mutates(node.target) and not (static and _counts(node.target)):
        raise no_lowering(low.builder)
    if static:
        return low.statics.apply(node.target, args, kwargs)  # type: ignore[arg-type]
    call = Call(low=low, target=node.target, args=args, kwargs=kwargs, shape=_shape(node))
    handler = _handler(call)
    if call.target in TABLE:
        check_arguments(call)
    value = handler(call)
    check_shape(call, value)
    low.builder.note_origin(value)
    return value


def _operator(target: FxTarget) -> str:
    """`aten.add.Tensor`, or `operator.ge` for a function of Python's."""
    if not isinstance(target, BuiltinFunctionType):
        return str(target)
    return f"{str(target.__module__).strip('_')}.{target.__name__}"


def _item(low: Lowering, many: FxValue, number: int) -> FxValue:
    """One of the results of an operator that gives several."""
    if isinstance(many, Static):
        return low.statics.apply(operator.getitem, (many, number), {})
    return many[number]


def _handler(call: Call) -> Callable[[Call], FxValue]:
    handler = TABLE.get(call.target)
    known = handler is not None or sum(n != 1 for n in call.shape) <= 1
    if known and handler not in _NO_PARAMETERS and lower_parameters.are_parameters(call):
        return lower_parameters.function
    if handler is not None:
        return handler
    if torch.Tag.pointwise in getattr(call.target, "tags", ()):
        return lower_pointwise.function
    raise no_lowering(call.builder)


def no_lowering(builder: Builder) -> NoLowering:
    """The refusal of an operator, with what exists instead."""
    error = builder.error("there is no lowering for this operator", hint=f"lowered are {LOWERED}")
    return NoLowering(error.message, where=error.where, hint=error.hint)


def _refuse_mutations(traced: TracedModel) -> None:
    """Refuse a model that keeps something from call to call besides the KV cache."""
    graph = traced.program.graph
    for spec in traced.program.graph_signature.output_specs:
        if spec.kind is not OutputKind.USER_OUTPUT:
            made = next((node for node in graph.nodes if node.name == spec.arg.name), None)
            what = "buffer" if spec.kind is OutputKind.BUFFER_MUTATION else "input or parameter"
            name = str(spec.target).removeprefix("model.")
            raise StbuildError(
                f"the model writes to its {what} {name!r} when it is called;"
                " from token to token only the KV cache is kept",
                where=source_line(made) if made else None,
                hint="compute it from input_ids and position_ids",
            )


def _first_result(traced: TracedModel, output: torch.fx.Node) -> torch.fx.Node:
    """The node of the logits, by the signature: what a graph mutates stands before what it returns."""
    specs = traced.program.graph_signature.output_specs
    at = next(i for i, spec in enumerate(specs) if spec.kind is OutputKind.USER_OUTPUT)
    results: FxValue = output.args[0]
    node: torch.fx.Node = results[at]
    return node


def _finished(low: Lowering, logits: FxValue) -> FlatModel:
    low.builder.place = replace(low.builder.place, operator="the logits")
    vec = low.builder.ordered(low.tensor(logits))
    return FlatModel(
        ops=tuple(low.builder.ops), logits=vec.source, tables=low.table_rows(), masks=tuple(low.masks),
        tokens=low.builder.tokens,
        derived=tuple(low.builder.derivations.made.values()),
    )  # fmt: skip


def _resolved(data: FxValue, values: dict[torch.fx.Node, FxValue]) -> FxValue:
    if isinstance(data, torch.fx.Node):
        return values[data]
    if isinstance(data, dict):
        return {k: _resolved(v, values) for k, v in data.items()}
    if isinstance(data, list | tuple):
        return type(data)(_resolved(v, values) for v in data)
    return data


def _counts(target: FxTarget) -> bool:
    """Whether a function is Python's or torch's arithmetic on sizes and positions."""
    return getattr(target, "__module__", "") in ("_operator", "math", "torch")


def _mutates(target: FxTarget) -> bool:
    schema = getattr(target, "_schema", None)
    return schema is None or bool(schema.is_mutable)


def _all_static(data: object) -> bool:
    if isinstance(data, dict):
        return all(_all_static(v) for v in data.values())
    if isinstance(data, list | tuple):
        return all(_all_static(v) for v in data)
    return isinstance(data, Static) or not isinstance(data, Value)


def _shape(node: torch.fx.Node) -> tuple[int, ...]:
    value = node.meta.get("val")
    return tuple(int(n) for n in value.shape) if isinstance(value, torch.Tensor) else ()


def _module(node: torch.fx.Node) -> str:
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    path = str(stack[-1][0]) if stack else ""
    return path.removeprefix("model").removeprefix(".")


def source_line(node: torch.fx.Node) -> str | None:
    """The innermost line of the model's own code that made `node`, as `file:line`."""
    frames = _FRAME.findall(node.meta.get("stack_trace") or "")
    own = [(f, n) for f, n in frames if "/torch/" not in f] or frames
    return model_line(*own[-1]) if own else None
