"""Refuses arguments that a lowering does not read, and values that have not the operator's result shape."""

import torch

from stbuild.frontend.call import Call
from stbuild.frontend.untyped import FxTarget, FxValue
from stbuild.frontend.values import (
    Cached,
    Centered,
    Expr,
    Joined,
    Normed,
    Rotated,
    Scores,
    Signed,
    Stage,
    Statistic,
    Vec,
    Weight,
)  # fmt: skip

_aten = torch.ops.aten
NEUTRAL = frozenset({
    "layout", "device", "pin_memory", "non_blocking", "copy", "memory_format", "implicit", "output_size",
    "padding_idx", "scale_grad_by_freq", "sparse", "cudnn_enable", "keepdim", "half_to_float",
})  # fmt: skip
"""Arguments that change no value, or only the shape, which `check_shape` compares."""
_HELD = {"train": False, "accumulate": False}
"""What an argument must be, whatever its default."""
READ: dict[FxTarget, frozenset[str]] = {
    _aten.linear.default: frozenset({"bias"}),
    _aten.layer_norm.default: frozenset({"weight", "bias", "eps"}),
    _aten.rms_norm.default: frozenset({"weight", "eps"}),
    _aten.linalg_vector_norm.default: frozenset({"ord", "dim"}),
    _aten.var.correction: frozenset({"dim", "correction"}),
    _aten.std.correction: frozenset({"dim", "correction"}),
    _aten.amax.default: frozenset({"dim"}),
    _aten.addcmul.default: frozenset({"value"}),
    _aten.scaled_dot_product_attention.default: frozenset({
        "attn_mask", "dropout_p", "is_causal", "scale", "enable_gqa",
    }),
    _aten.slice.Tensor: frozenset({"dim", "start", "end", "step"}),
    _aten.flatten.using_ints: frozenset({"start_dim", "end_dim"}),
    **dict.fromkeys(
        (_aten.full_like.default, _aten.zeros_like.default, _aten.ones_like.default, _aten.new_full.default,
         _aten.new_zeros.default, _aten.new_ones.default),
        frozenset({"dtype"}),
    ),
    **dict.fromkeys(
        (_aten.cat.default, _aten.stack.default, _aten.chunk.default, _aten.split.Tensor,
         _aten.split_with_sizes.default, _aten.unbind.int, _aten.repeat_interleave.self_int),
        frozenset({"dim"}),
    ),
}  # fmt: skip
"""The optional arguments that each lowering of the table reads; all others must hold their defaults."""


def check_arguments(call: Call) -> None:
    """Refuse an optional argument that the operator's row of the table does not read."""
    read = READ.get(call.target, frozenset())
    for place, declared in enumerate(call.target._schema.arguments):
        given = call.argument(place, declared.name, _default(declared))
        if declared.name in _HELD:
            held = given == _HELD[declared.name]
        elif declared.name == "dtype" and "dtype" not in read:
            held = given is None or given.is_floating_point
        else:
            known = declared.name in read or declared.name in NEUTRAL or not declared.has_default_value()
            held = known or given == declared.default_value
        if not held:
            raise call.error(f"the argument {declared.name}={given} has no lowering")


def check_keywords(call: Call, *read: str) -> None:
    """Refuse keyword arguments of a pointwise operator, but for those in `read`, that are not neutral."""
    for declared in call.target._schema.arguments:
        given = call.kwargs.get(declared.name)
        plain = given is None or given == _default(declared) or declared.name in NEUTRAL
        if not plain and declared.name not in read:
            raise call.error(f"the argument {declared.name}={given} has no lowering here")


def check_shape(call: Call, value: FxValue) -> None:
    """Refuse a value whose layout is not the operator's result shape."""
    made = shape_of(value)
    if made is not None and made != call.shape:
        raise call.error(
            f"a tensor {list(made)} becomes {list(call.shape)} by broadcasting, which has no lowering"
        )


def _default(declared: FxValue) -> FxValue:
    return declared.default_value if declared.has_default_value() else None


def shape_of(value: object) -> tuple[int, ...] | None:
    """The shape of the tensor that a value stands for, if it is known."""
    match value:
        case Vec() | Cached() | Statistic():
            return tuple(value.index.shape)
        case Expr():
            return shape_of(value.base)
        case Centered() | Normed() | Signed() | Rotated():
            return shape_of(value.x)
        case Weight():
            return value.shape
        case Scores(stage=Stage.TOP | Stage.SUM):
            return (*value.index.shape[:-1], 1)
        case Scores():
            return tuple(value.index.shape)
        case Joined():
            return _joined_shape(value)
    return None


def _joined_shape(value: Joined) -> tuple[int, ...] | None:
    shapes = [shape_of(part) for part in value.parts]
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes):
        return None
    dim = value.dim % len(known[0])
    length = sum(shape[dim] for shape in known)
    return (*known[0][:dim], length, *known[0][dim + 1 :])
