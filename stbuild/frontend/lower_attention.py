"""Lowerings of the KV cache's update and of scaled dot product attention over it."""

import math
from collections.abc import Callable

import numpy as np
import torch

from stbuild.frontend.builder import describe
from stbuild.frontend.call import Call
from stbuild.frontend.untyped import FxTarget, FxValue
from stbuild.frontend.values import Cached, CacheMemory, Static, Vec, Weight
from stbuild.ops.attention import Attention

_aten = torch.ops.aten


def store(call: Call) -> FxValue:
    """`aten.index_put` of keys or values, [1, kv_heads, tokens, head_dim], at the positions."""
    memory, indices, value = call.args[:3]
    if not isinstance(memory, CacheMemory):
        raise call.error(f"elements of a {describe(memory)} are overwritten; only the KV cache can be")
    if len(indices) != 3 or indices[2] is None or not isinstance(indices[2], Static):
        raise call.error("the KV cache is written in another place than at the positions of the tokens")
    return _cached(call, value)


def copy(call: Call) -> FxValue:
    """`aten.index_copy` into the KV cache."""
    memory, dim, positions, value = call.args[:4]
    if not isinstance(memory, CacheMemory) or dim != 2 or not isinstance(positions, Static):
        raise call.error("only the KV cache can be written, at the positions of the tokens")
    return _cached(call, value)


def attention(call: Call) -> Vec:
    """`aten.scaled_dot_product_attention`, which must be causal."""
    q, k, v = call.args[:3]
    mask = _mask(call)
    if not isinstance(k, Cached) or not isinstance(v, Cached):
        raise call.error("attention to keys and values that do not come from the KV cache")
    query = call.builder.ordered(call.low.tensor(q))
    head_dim = query.index.shape[-1]
    heads = query.width // head_dim
    _check_query(call, query, heads, head_dim)
    if v.scale != 1:
        raise call.error("cached values are multiplied by a number", hint="multiply what attention gives")
    for cached in (k, v):
        _check_heads(call, cached, heads, head_dim)
    scale = call.kwargs.get("scale")
    made = call.builder.emit(
        Attention, query.width, q=query.source, k=k.x.source, v=v.x.source, heads=heads, kv_heads=k.heads,
        head_dim=head_dim, scale=k.scale * (1 / math.sqrt(head_dim) if scale is None else float(scale)),
        **masked_fields(call, mask, heads),
    )  # fmt: skip
    shape = (call.builder.tokens, heads, head_dim)
    index = made.index.reshape(shape).transpose(1, 0, 2).reshape(call.shape)
    return Vec(source=made.source, width=query.width, index=index)


def masked_fields(call: Call, mask: Static, heads: int) -> dict[str, FxValue]:
    """What a mask says about the attention of `heads` heads."""
    form = call.low.mask_form(mask)
    slopes = form.slopes * heads if len(form.slopes) == 1 else form.slopes
    if len(slopes) not in (0, heads):
        raise call.error(f"the attention mask has {len(slopes)} heads, but there are {heads}")
    return {"windows": (form.window,), "slopes": slopes}


def _cached(call: Call, value: FxValue) -> Cached:
    vec = call.builder.ordered(call.low.tensor(value))
    _, copies, tokens, head_dim = vec.index.shape
    heads = vec.width // head_dim
    own = vec.index[0, :, 0, :]
    once = np.arange(vec.width).reshape(-1, head_dim)
    if tokens != call.builder.tokens or copies % heads:
        raise call.error("keys or values are not stored head after head")
    if not np.array_equal(own, np.repeat(once, copies // heads, axis=0)):
        raise call.error("keys or values are not stored head after head")
    shape = (1, copies, call.low.context, head_dim)
    key = ("cache", copies, heads, head_dim)
    if key not in call.low.cached_views:
        call.low.cached_views[key] = np.broadcast_to(own[None, :, None, :], shape)
    return Cached(x=vec, heads=heads, index=call.low.cached_views[key])


def _check_query(call: Call, query: Vec, heads: int, head_dim: int) -> None:
    order = np.arange(query.index.size).reshape(call.builder.tokens, heads, head_dim).transpose(1, 0, 2)
    if not np.array_equal(query.index.reshape(order.shape), order):
        raise call.error("queries are not stored head after head")


def _check_heads(call: Call, cached: Cached, heads: int, head_dim: int) -> None:
    """Every group of query heads must look at one key head, in order."""
    index = cached.index
    if index.ndim != 4 or index.shape[3] != head_dim or index.shape[2] != call.low.context:
        raise call.error(
            f"keys and values have the shape {list(index.shape)}, not [1, heads, context, {head_dim}]"
        )
    seen = index[0, :, 0, :]
    repeats = seen.shape[0] // cached.heads
    wanted = np.repeat(np.arange(cached.x.width).reshape(cached.heads, head_dim), repeats, axis=0)
    if (
        heads % cached.heads
        or not np.array_equal(seen, wanted)
        or not np.array_equal(index[0, :, -1, :], wanted)
    ):
        raise call.error("query heads do not share key heads group by group")


def _mask(call: Call) -> Static:
    mask, dropout = call.argument(3, "attn_mask"), call.argument(4, "dropout_p", 0.0)
    if dropout:
        raise call.error("attention with dropout")
    if call.argument(5, "is_causal", False) or mask is None:
        raise call.error(
            "attention without a mask over the whole cache",
            hint="use the attention_mask that forward is given, or one made from the positions",
        )
    if not isinstance(mask, Static) or isinstance(mask, Weight):
        raise call.error("the attention mask is computed from the tokens, not from their positions")
    return mask


TABLE: dict[FxTarget, Callable[[Call], FxValue]] = {
    _aten.index_put.default: store,
    _aten.index_copy.default: copy,
    _aten.scaled_dot_product_attention.default: attention,
}
