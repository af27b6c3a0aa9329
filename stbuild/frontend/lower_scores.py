"""Recognises attention written out: products of queries with cached keys, mask, softmax, weighted values."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from stbuild.frontend import expression
from stbuild.frontend.arguments import check_keywords
from stbuild.frontend.builder import describe, param
from stbuild.frontend.call import Call
from stbuild.frontend.expression import target_name
from stbuild.frontend.lower_attention import masked_fields
from stbuild.frontend.masks import HIDDEN
from stbuild.frontend.untyped import FxTarget, FxValue
from stbuild.frontend.values import Cached, Expr, Index, Scores, Stage, Static, Value, Vec, Weight
from stbuild.ir.param import Param
from stbuild.ops.attention import Attention

_aten = torch.ops.aten
_CONSTANTS = (int, float)


def product(call: Call, a: FxValue, b: FxValue) -> Value | None:
    """`a @ b` if that is a step of attention: queries by keys, or weights by values."""
    match a, b:
        case Scores(), Cached():
            return _weighted(call, a, b)
        case Cached(), Scores():
            transposed = replace(b, index=b.index.swapaxes(-1, -2))
            return _swapped(_weighted(call, transposed, replace(a, index=a.index.swapaxes(-1, -2))))
        case Scores(), _:
            raise call.error("attention scores are multiplied by something that is not the cached values")
        case Cached(), _:
            return _swapped(_scores(call, b, replace(a, index=a.index.swapaxes(-1, -2)), swapped=True))
        case _, Cached():
            return _scores(call, a, b)
    return None


def function(call: Call) -> Scores:
    """A pointwise operator on scores: a factor, a mask, or a step of a softmax written out."""
    name, values = target_name(call.target), [a for a in call.args if isinstance(a, Value)]
    scores: Scores = next(v for v in values if isinstance(v, Scores))
    check_keywords(call)
    others, at = [a for a in call.args if a is not scores], call.args.index(scores)
    match name, others:
        case "mul" | "div", [int() | float() as number] if name == "mul" or at == 0:
            return _scaled(call, scores, float(number) if name == "mul" else 1 / number)
        case "tanh", [] if _can_be_capped(scores):
            return replace(scores, scale=1.0, capped=scores.scale, of=object())
        case "add", [Static() as mask] if call.kwargs.get("alpha", 1) == 1:
            return _masked(call, scores, mask)
        case "masked_fill", [Static() as hidden, number] if _is_low(number):
            return _masked(call, scores, call.low.statics.apply(_WHERE, (hidden, -math.inf, 0.0), {}))
        case "where", [True, number] if at == 1 and _is_low(number):
            return scores
        case "where", [Static() as seen, number] if at == 1 and _is_low(number):
            return _masked(call, scores, call.low.statics.apply(_WHERE, (seen, 0.0, -math.inf), {}))
        case "where", [Static() as hidden, number] if at == 2 and _is_low(number):
            return _masked(call, scores, call.low.statics.apply(_WHERE, (hidden, -math.inf, 0.0), {}))
        case "sub", [Scores(stage=Stage.TOP) as top] if at == 0 and top.of is scores.of:
            return replace(scores, of=object())
        case "exp", [] if scores.stage is Stage.SCORES:
            return replace(scores, stage=Stage.POWERS, of=object())
        case "div", [Scores(stage=Stage.SUM) as sums] if _divides(sums, scores, call):
            return replace(scores, stage=Stage.WEIGHTS)
    raise call.error(f"attention scores go through {name!r}, {_REFUSED}")


def softmax(call: Call) -> Scores:
    """`aten.softmax` over the keys."""
    scores = _over_keys(call, Stage.SCORES, "softmax")
    return replace(scores, stage=Stage.WEIGHTS)


def with_sinks(call: Call, parts: tuple[FxValue, ...], dim: int) -> Scores:
    """`aten.cat` of scores and a learned number for each head, a sink, behind the last position."""
    match parts:
        case (Scores(stage=Stage.SCORES, sinks=None) as scores, Weight() as sinks):
            last, rank = dim % scores.index.ndim == scores.index.ndim - 1, len(sinks.shape)
            heads = rank > 2 and sinks.shape[-3] == scores.heads == int(np.prod(sinks.shape[:-2]))
            if last and heads and sinks.shape[-1] == 1:
                index = np.concatenate([scores.index, np.full_like(scores.index[..., :1], -1)], axis=-1)
                return replace(scores, index=index, sinks=sinks, of=object())
    raise call.error(
        "attention scores are joined with something that is not one learned number for each head (a sink)"
    )


def top(call: Call) -> Scores:
    """`aten.amax` of the scores of each query, for a softmax written out."""
    return replace(_over_keys(call, Stage.SCORES, "amax"), stage=Stage.TOP)


def max_over_keys(call: Call) -> tuple[Scores, None]:
    """`aten.max.dim`, of which only the values are used."""
    return replace(_over_keys(call, Stage.SCORES, "max"), stage=Stage.TOP), None


def total(call: Call) -> Scores:
    """`aten.sum` of the powers of each query, for a softmax written out."""
    return replace(_over_keys(call, Stage.POWERS, "sum"), stage=Stage.SUM)


def scaled_keys(call: Call) -> Cached:
    """Cached keys times a number."""
    numbers = [a for a in call.args if isinstance(a, _CONSTANTS)]
    check_keywords(call)
    name = target_name(call.target)
    inverse = name == "div" and numbers[:1] == [*call.args[1:]]
    if len(call.args) == 2 and len(numbers) == 1 and (name == "mul" or inverse):
        cached = next(a for a in call.args if isinstance(a, Cached))
        return replace(cached, scale=cached.scale * (numbers[0] if name == "mul" else 1 / numbers[0]))
    raise call.error("cached keys or values are computed with, after they were written to the cache")


def _over_keys(call: Call, stage: Stage, name: str) -> Scores:
    scores, dims = call.args[0], call.argument(1, "dim")
    if not isinstance(scores, Scores):
        raise call.error(f"{name} of a {describe(scores)}; only attention scores have one")
    rank = scores.index.ndim
    along = [d % rank for d in ([dims] if isinstance(dims, int) else dims)]
    if along != [rank - 1] or scores.stage is not stage:
        raise call.error(f"attention scores go through {name!r}, {_REFUSED}")
    return scores


def _scores(call: Call, q: FxValue, k: Cached, swapped: bool = False) -> Scores:
    """Queries [..., tokens, head_dim] by keys [..., head_dim, context], head by head."""
    vec, factor = _queries(call, q, swapped)
    head_dim, context = int(vec.index.shape[-1]), call.low.context
    heads, first = vec.width // head_dim, k.index[..., :, 0]
    if k.index.shape[-2:] != (head_dim, context) or bool((k.index != first[..., None]).any()):
        raise call.error(f"keys have the shape {list(k.index.shape)}, not [heads, {head_dim}, {context}]")
    rows, held = _heads(call, vec.index, head_dim, "queries"), _heads(call, first, head_dim, "keys")
    if heads % k.heads or bool((rows % heads // (heads // k.heads) != held[..., None]).any()):
        raise call.error("query heads do not share key heads group by group")
    index = rows[..., None] * context + np.arange(context)
    scale = factor * k.scale
    return Scores(
        q=vec, k=k, heads=heads, head_dim=head_dim, index=index, scale=scale, mask=None, of=object()
    )


def _queries(call: Call, q: FxValue, swapped: bool) -> tuple[Vec, float]:
    """The queries and the number by which they are multiplied."""
    factor = 1.0
    if isinstance(q, Expr) and isinstance(q.base, Vec) and (line := expression.line(q)) and not line.offset:
        q, factor = q.base, line.scale
    vec = call.builder.ordered(call.low.tensor(q))
    return (replace(vec, index=vec.index.swapaxes(-1, -2)) if swapped else vec), factor


def _heads(call: Call, index: Index, head_dim: int, what: str) -> Index:
    """Which head each row of `index` [..., head_dim] is; of queries, token * heads + head."""
    if bool((index[..., 0] % head_dim).any()) or bool((np.diff(index, axis=-1) != 1).any()):
        raise call.error(f"{what} are not stored head after head")
    return np.asarray(index[..., 0] // head_dim)


def _weighted(call: Call, weights: Scores, v: Cached) -> Vec:
    """Weights [..., tokens, context] by values [..., context, head_dim]: the attention."""
    context, head_dim = call.low.context, weights.head_dim
    rows = weights.index[..., 0] // context
    if weights.stage is not Stage.WEIGHTS:
        raise call.error("attention scores meet the cached values without a softmax")
    if weights.index.shape[-1] != context or bool((weights.index % context != np.arange(context)).any()):
        raise call.error("attention scores are rearranged before they meet the cached values")
    shape, first = v.index.shape[-2:], v.index[..., 0, :]
    if shape != (context, head_dim) or bool((v.index != first[..., None, :]).any()) or v.scale != 1:
        raise call.error(f"values have the shape {list(v.index.shape)}, not [heads, {context}, {head_dim}]")
    held, shared = _heads(call, first, head_dim, "values"), weights.heads // v.heads
    if weights.heads % v.heads or bool((rows % weights.heads // shared != held[..., None]).any()):
        raise call.error("query heads do not share value heads group by group")
    if weights.mask is None:
        raise call.error("attention without a mask over the whole cache", hint=_MASK_HINT)
    capped = weights.capped != 0
    made = call.builder.emit(
        Attention, weights.q.width, q=weights.q.source, k=weights.k.x.source, v=v.x.source,
        heads=weights.heads, kv_heads=weights.k.heads, head_dim=head_dim,
        scale=weights.scale * weights.capped if capped else weights.scale,
        cap=weights.scale if capped else 0.0, sinks=_sink_param(call, weights),
        **masked_fields(call, weights.mask, weights.heads),
    )  # fmt: skip
    return replace(made, index=rows[..., None] * head_dim + np.arange(head_dim))


def _scaled(call: Call, scores: Scores, factor: float) -> Scores:
    if scores.stage is not Stage.SCORES or factor <= 0:
        raise call.error(f"attention scores are multiplied by {factor:g} {_place(scores)}")
    mask = scores.mask and call.low.statics.apply(_aten.mul.Scalar, (scores.mask, factor), {})
    return replace(scores, scale=scores.scale * factor, mask=mask)


def _masked(call: Call, scores: Scores, mask: Static) -> Scores:
    if scores.stage is not Stage.SCORES:
        raise call.error(f"a mask is added {_place(scores)}")
    both = mask if scores.mask is None else call.low.statics.apply(_aten.add.Tensor, (scores.mask, mask), {})
    return replace(scores, mask=both)


def _can_be_capped(scores: Scores) -> bool:
    """Whether these are scaled scores, neither masked nor capped yet."""
    return scores.stage is Stage.SCORES and scores.mask is None and not scores.capped


def _sink_param(call: Call, weights: Scores) -> Param | None:
    """The sinks in base 2."""
    if weights.sinks is None:
        return None
    flat = param(weights.sinks, (weights.heads,))
    return replace(flat, scale=flat.scale * math.log2(math.e), offset=flat.offset * math.log2(math.e))


def _divides(sums: Scores, scores: Scores, call: Call) -> bool:
    """Whether powers are divided by their own sum."""
    return scores.stage is Stage.POWERS and sums.of is scores.of and call.args[0] is scores


def _place(scores: Scores) -> str:
    match scores.stage:
        case Stage.SCORES:
            return "before the softmax"
        case Stage.WEIGHTS:
            return "behind the softmax"
    return "in the middle of the softmax"


def _swapped(value: Vec | Scores) -> Vec | Scores:
    return replace(value, index=value.index.swapaxes(-1, -2))


def _is_low(number: object) -> bool:
    return isinstance(number, _CONSTANTS) and number <= HIDDEN


_WHERE = _aten.where.Scalar
_MASK_HINT = "use the attention_mask that forward is given, or one made from the positions"
_REFUSED = (
    "which has no lowering between the product with the keys and that with the values: only a factor,"
    " a soft cap, a mask, sinks and softmax have"
)
TABLE: dict[FxTarget, Callable[[Call], FxValue]] = {
    _aten.softmax.int: softmax,
    _aten._softmax.default: softmax,
    _aten._safe_softmax.default: softmax,
    _aten.amax.default: top,
    _aten.max.dim: max_over_keys,
}
