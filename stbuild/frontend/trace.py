"""From an nn.Module to ATen graphs of one decode step and of a prefill, with a static KV cache.

A Hugging Face causal LM is traced as it is. Any other module must follow a small protocol:
`forward(input_ids, position_ids, cache, attention_mask)` gives the logits [1, tokens, vocabulary];
ids and positions are int64 [1, tokens], `cache.update(k, v, layer)` is that of `kvcache`, and
`attention_mask` is bool [1, 1, tokens, context], true where a token may look. `cache` may be called
`past_key_values`; `attention_mask` may be left out.
"""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.export import ExportedProgram, default_decompositions, export
from torch.export.decomp_utils import CustomDecompTable
from transformers.cache_utils import CacheLayerMixin

from stbuild.errors import StbuildError
from stbuild.frontend.kept_tensors import refuse_kept_tensors, tensors_restored
from stbuild.frontend.kvcache import GrowingProbes, Probe, TracedLayer, cache_of
from stbuild.frontend.meta_parameters import without_parameter_memory
from stbuild.frontend.model_call import call, tensor, use_sdpa
from stbuild.frontend.model_code import model_code
from stbuild.frontend.pretrained import is_pretrained
from stbuild.frontend.rope import fix_frequencies
from stbuild.frontend.unsupported import refuse_model
from stbuild.limits import MAX_CONTEXT

_aten = torch.ops.aten
KEPT_OPS = (
    _aten.linear.default, _aten.matmul.default, _aten.addmm.default, _aten.silu.default, _aten.gelu.default,
    _aten.scaled_dot_product_attention.default, _aten.softmax.int, _aten.masked_fill.Scalar,
    _aten.stack.default, _aten.layer_norm.default, _aten.lerp.Scalar, _aten.lerp.Tensor,
    _aten.addcmul.default,
    _aten.rms_norm.default, _aten.hardswish.default, _aten.hardsigmoid.default, _aten.mish.default,
    _aten.softplus.default, _aten.elu.default, _aten.leaky_relu.default, _aten.relu6.default,
)  # fmt: skip
"""Operators that have a lowering of their own, so that `run_decompositions` must leave them alone."""


@dataclass(frozen=True, kw_only=True)
class TracedModel:
    """The ATen graph of one call of the model with `tokens` tokens.

    Its inputs are parameters, buffers, then token ids, position ids, keys and values of each layer.
    `names` maps every parameter name to the checkpoint's; tied parameters share one.
    """

    program: ExportedProgram
    names: dict[str, str]
    context: int
    tokens: int
    layers: int


def trace(model: nn.Module, *, context: int, tokens: int = 1) -> TracedModel:
    """Trace one decode step (or, with `tokens` > 1, a prefill) of `model` at a KV cache of `context`."""
    if context < tokens or context > MAX_CONTEXT:
        raise StbuildError(f"a context of {context} positions is not between {tokens} and {MAX_CONTEXT:,}")
    refuse_model(model)
    fix_frequencies(model, context)
    model.eval()
    if is_pretrained(model):
        use_sdpa(model)
    with without_parameter_memory(model) as names, torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shapes = _cache_shapes(model, context, tokens)
        wrapper = _Step(model)
        ids, positions = torch.zeros(1, tokens, dtype=torch.long), torch.arange(tokens)[None]
        keys = [torch.zeros(()).expand(1, k[1], context, k[3]) for k, _ in shapes]
        values = [torch.zeros(()).expand(1, v[1], context, v[3]) for _, v in shapes]
        with tensors_restored(model), model_code(f"{type(model).__name__} cannot be traced"):
            program = export(wrapper, (ids, positions, keys, values), strict=False)
    return TracedModel(program=program, names=names, context=context, tokens=tokens, layers=len(shapes))


def decomposed(traced: TracedModel) -> TracedModel:
    """The same graph in functional core ATen, but for `KEPT_OPS`; takes as long as tracing does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return replace(traced, program=traced.program.run_decompositions(_decompositions()))


class _Step(nn.Module):
    """One call of the model as a function of ids, positions and caches to logits and caches."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: Tensor, position_ids: Tensor, keys: list[Tensor], values: list[Tensor]
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        position = position_ids[0]
        layers = [TracedLayer(k, v, position) for k, v in zip(keys, values, strict=True)]
        context = keys[0].shape[2] if keys else 0
        logits = call(self.model, input_ids, position_ids, cache_of([*layers]), context)
        return logits, [tensor(layer.keys) for layer in layers], [tensor(layer.values) for layer in layers]


def _cache_shapes(model: nn.Module, context: int, tokens: int) -> list[tuple[torch.Size, torch.Size]]:
    """The shapes of the keys and values that each layer hands to the cache."""
    probes = GrowingProbes(context)
    with FakeTensorMode(allow_non_fake_inputs=True):
        ids, positions = torch.zeros(1, tokens, dtype=torch.long), torch.arange(tokens)[None]
        with model_code(f"{type(model).__name__} cannot be called with {tokens} token{'s'[: tokens > 1]}"):
            refuse_kept_tensors(model, lambda: call(model, ids, positions, cache_of(probes), context))
    return [_probed(layer, i, tokens) for i, layer in enumerate(_used(probes))]


def _used(probes: Iterable[CacheLayerMixin]) -> list[Probe]:
    layers = [layer for layer in probes if isinstance(layer, Probe)]
    while layers and layers[-1].shapes is None:
        layers.pop()
    return layers


def _probed(layer: Probe, index: int, tokens: int) -> tuple[torch.Size, torch.Size]:
    if layer.shapes is None:
        raise StbuildError(f"layer {index} of the model does not use the KV cache, though later layers do")
    for shape in layer.shapes:
        if len(shape) != 4 or shape[0] != 1 or shape[2] != tokens:
            raise StbuildError(
                f"layer {index} hands the KV cache a tensor {list(shape)},"
                f" not [1, kv_heads, {tokens}, head_dim]"
            )
    return layer.shapes


def _decompositions() -> CustomDecompTable:
    table = default_decompositions()
    for op in KEPT_OPS:
        table.pop(op, None)  # type: ignore[no-untyped-call]  # torch is untyped here
    return table
