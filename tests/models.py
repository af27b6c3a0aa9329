"""Small language models for tests: tiny Hugging Face ones, and a decoder whose every part can be changed."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM

ATTENTION_FORMS = ("sdpa", "matmul", "einsum", "bmm", "hand_softmax", "groups")


@dataclass(frozen=True, kw_only=True)
class DecoderShape:
    """What the hand-written decoder is made of. `rotary_dim` 0 is none: positions are embedded then.

    `norm` is "rms", "rms1" (weight 1 + w) or "layer"; `qk_norm` normalises each head of q and k;
    `rotary_form` is how the rotary embedding is written: "rotate_half", "two_halves", and for neighbours
    "rotate_every_two" or "two_neighbours"; `activation` is a function of torch.nn.functional or one of those
    below;
    `qk_norm_form` "unit" makes heads of q and k unit vectors times 3 instead;
    `attention` is how attention is written, one of ATTENTION_FORMS;
    `first_again` adds the embedding to the input of every layer;
    `value_embedding` adds a row by the token's id to every layer's input: of a table of its "own", or of one
    that is "shared" by the layers;
    `parallel` feeds attention and FFN from one residual; `post_norm` norms what is added to it.
    """

    vocab_size: int = 64
    width: int = 64
    ffn: int = 96
    layers: int = 2
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 16
    positions: int = 80
    norm: str = "rms"
    qk_norm: bool = False
    qk_norm_form: str = "norm"
    activation: str = "silu"
    gated: bool = True
    rotary_dim: int = 16
    rotary_form: str = "rotate_half"
    bias: bool = False
    second_ffn: bool = False
    parallel: bool = False
    post_norm: bool = False
    tied: bool = False
    softcap: float = 0.0
    attention: str = "sdpa"
    first_again: bool = False
    value_embedding: str = ""


class UnitNorm(nn.Module):
    """A vector of length one, times a number."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.normalize(x, dim=-1) * 3.0


class RmsNorm(nn.Module):
    """RMS norm written out, with weight `offset + w`."""

    def __init__(self, width: int, offset: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width) - offset)
        self.offset = offset

    def forward(self, x: Tensor) -> Tensor:
        normed = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)
        return normed * (self.offset + self.weight if self.offset else self.weight)


def norm_of(shape: DecoderShape, width: int) -> nn.Module:
    """The norm layer that `shape` asks for."""
    if shape.norm == "layer":
        return nn.LayerNorm(width, bias=shape.bias)
    return RmsNorm(width, 1.0 if shape.norm == "rms1" else 0.0)


def head_norm_of(shape: DecoderShape) -> nn.Module:
    """The norm of each head of q or k."""
    if not shape.qk_norm:
        return nn.Identity()
    return UnitNorm() if shape.qk_norm_form == "unit" else norm_of(shape, shape.head_dim)


def activation_of(name: str, x: Tensor) -> Tensor:
    """The activation that `shape` asks for."""
    match name:
        case "where_leaky":
            return torch.where(x > 0, x, 0.1 * x)
        case "maximum":
            return torch.maximum(x, torch.zeros_like(x))
        case "quick_gelu":
            return x * torch.sigmoid(1.702 * x)
        case "square_relu":
            return torch.relu(x) ** 2
        case "gelu_tanh":
            return nn.functional.gelu(x, approximate="tanh")
        case "hand_gelu":
            return 0.5 * x * (1.0 + torch.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))
    result: Tensor = getattr(torch.nn.functional, name)(x)
    return result


class Attention(nn.Module):
    """Attention with optional GQA, rotary embedding (full or partial) and norms of q and k."""

    def __init__(self, shape: DecoderShape, layer: int) -> None:
        super().__init__()
        self.shape, self.layer = shape, layer
        heads, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
        self.q_proj = nn.Linear(shape.width, heads, bias=shape.bias)
        self.k_proj = nn.Linear(shape.width, kv, bias=shape.bias)
        self.v_proj = nn.Linear(shape.width, kv, bias=shape.bias)
        self.o_proj = nn.Linear(heads, shape.width, bias=shape.bias)
        self.q_norm, self.k_norm = head_norm_of(shape), head_norm_of(shape)

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor] | None, cache: Any, mask: Tensor) -> Tensor:
        split = (1, x.shape[1], -1, self.shape.head_dim)
        q = self.q_norm(self.q_proj(x).view(split)).transpose(1, 2)
        k = self.k_norm(self.k_proj(x).view(split)).transpose(1, 2)
        v = self.v_proj(x).view(split).transpose(1, 2)
        if turn is not None:
            q, k = self._turned(q, turn), self._turned(k, turn)
        k, v = cache.update(k, v, self.layer)
        y = attention_of(self.shape.attention, q, k, v, mask)
        result: Tensor = self.o_proj(y.transpose(1, 2).reshape(1, x.shape[1], -1))
        return result

    def _turned(self, x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        size = self.shape.rotary_dim
        turned = turned_by(self.shape.rotary_form, x[..., :size], *turn)
        return torch.cat((turned, x[..., size:]), dim=-1) if size < x.shape[-1] else turned


def attention_of(form: str, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """Attention [1, heads, tokens, head_dim], written as `form` says."""
    groups, scale = q.shape[1] // k.shape[1], q.shape[-1] ** -0.5
    if form == "sdpa":
        return nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=groups > 1)
    if form == "groups":
        scores = q.view(1, -1, groups, *q.shape[2:]) @ k[:, :, None].mT * scale
        weights = torch.where(mask[:, :, None], scores, torch.finfo(scores.dtype).min).softmax(-1)
        return (weights @ v[:, :, None]).flatten(1, 2)
    k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
    match form:
        case "matmul":
            scores = torch.matmul(q, k.transpose(-1, -2)) / q.shape[-1] ** 0.5
            weights = scores.masked_fill(~mask, float("-inf")).softmax(-1, dtype=torch.float32)
            return torch.matmul(weights.to(q.dtype), v)
        case "einsum":
            scores = torch.einsum("bhqd,bhkd->bhqk", q * scale, k) + torch.where(mask, 0.0, -1e9)
            return torch.einsum("bhqk,bhkd->bhqd", scores.softmax(-1), v)
        case "bmm":
            scores = torch.bmm(q[0], k[0].transpose(1, 2)) * scale
            return torch.bmm(scores.masked_fill(~mask[0], -1e9).softmax(-1), v[0])[None]
        case "hand_softmax":
            scores = (q @ (k * scale).mT).masked_fill(~mask, float("-inf"))
            powers = torch.exp(scores - scores.amax(-1, keepdim=True))
            return powers / powers.sum(-1, keepdim=True) @ v
    raise ValueError(form)


def turned_by(form: str, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """The rotary embedding of `x`, written as `form` says; factors [..., rotary_dim], halves alike."""
    half = x.shape[-1] // 2
    c, s = cos[..., :half], sin[..., :half]
    match form:
        case "rotate_half":
            first, second = x.chunk(2, dim=-1)
            return x * cos + torch.cat((-second, first), dim=-1) * sin
        case "two_halves":
            first, second = x.chunk(2, dim=-1)
            return torch.cat((first * c - second * s, second * c + first * s), dim=-1)
        case "rotate_every_two":
            turned = torch.stack((-x[..., 1::2], x[..., ::2]), dim=-1).flatten(-2)
            return x * c.repeat_interleave(2, dim=-1) + turned * s.repeat_interleave(2, dim=-1)
        case "two_neighbours":
            first, second = x.view(*x.shape[:-1], half, 2).unbind(-1)
            return torch.stack((first * c - second * s, second * c + first * s), dim=-1).flatten(-2)
    raise ValueError(form)


class FeedForward(nn.Module):
    """A feed-forward network, gated or not."""

    def __init__(self, shape: DecoderShape) -> None:
        super().__init__()
        self.shape = shape
        self.up_proj = nn.Linear(shape.width, shape.ffn, bias=shape.bias)
        self.down_proj = nn.Linear(shape.ffn, shape.width, bias=shape.bias)
        if shape.gated:
            self.gate_proj = nn.Linear(shape.width, shape.ffn, bias=shape.bias)

    def forward(self, x: Tensor) -> Tensor:
        up: Tensor = self.up_proj(x)
        gate: Tensor = self.gate_proj(x) if self.shape.gated else up
        y = activation_of(self.shape.activation, gate)
        result: Tensor = self.down_proj(y * up if self.shape.gated else y)
        return result


class Layer(nn.Module):
    """One decoder layer."""

    def __init__(self, shape: DecoderShape, layer: int) -> None:
        super().__init__()
        self.shape = shape
        self.attn = Attention(shape, layer)
        self.mlp = FeedForward(shape)
        self.attn_norm, self.mlp_norm = norm_of(shape, shape.width), norm_of(shape, shape.width)
        if shape.second_ffn:
            self.mlp2, self.mlp2_norm = FeedForward(shape), norm_of(shape, shape.width)
        if shape.post_norm:
            self.attn_post, self.mlp_post = norm_of(shape, shape.width), norm_of(shape, shape.width)

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor] | None, cache: Any, mask: Tensor) -> Tensor:
        a = self.attn(self.attn_norm(x), turn, cache, mask)
        a = self.attn_post(a) if self.shape.post_norm else a
        y = x if self.shape.parallel else x + a
        m = self.mlp(self.mlp_norm(y))
        m = self.mlp_post(m) if self.shape.post_norm else m
        x = x + a + m if self.shape.parallel else y + m
        return x + self.mlp2(self.mlp2_norm(x)) if self.shape.second_ffn else x


class Decoder(nn.Module):
    """A decoder-only language model of the plain protocol (see stbuild/frontend/trace.py)."""

    def __init__(self, shape: DecoderShape) -> None:
        super().__init__()
        self.shape = shape
        self.embed = nn.Embedding(shape.vocab_size, shape.width)
        if not shape.rotary_dim:
            self.position = nn.Embedding(shape.positions, shape.width)
        self.layers = nn.ModuleList(Layer(shape, i) for i in range(shape.layers))
        if shape.value_embedding:
            count = shape.layers if shape.value_embedding == "own" else 1
            self.values = nn.ModuleList(nn.Embedding(shape.vocab_size, shape.width) for _ in range(count))
        self.norm = norm_of(shape, shape.width)
        self.lm_head = nn.Linear(shape.width, shape.vocab_size, bias=False)
        if shape.tied:
            self.lm_head.weight = self.embed.weight
        steps = torch.arange(0, max(shape.rotary_dim, 2), 2)
        self.frequency = nn.Buffer(1.0 / 1e4 ** (steps / max(shape.rotary_dim, 2)), persistent=False)

    def forward(self, input_ids: Tensor, position_ids: Tensor, cache: Any, attention_mask: Tensor) -> Tensor:
        x = self.embed(input_ids)
        turn = self._turn(position_ids) if self.shape.rotary_dim else None
        if turn is None:
            x = x + self.position(position_ids)
        first = x
        for number, layer in enumerate(self.layers):
            if self.shape.value_embedding:
                x = x + self.values[number % len(self.values)](input_ids)
            x = layer(x + first if self.shape.first_again else x, turn, cache, attention_mask)
        logits: Tensor = self.lm_head(self.norm(x))
        cap = self.shape.softcap
        return cap * torch.tanh(logits / cap) if cap else logits

    def _turn(self, position_ids: Tensor) -> tuple[Tensor, Tensor]:
        angle = position_ids[:, None, :, None].float() * self.frequency
        angle = torch.cat((angle, angle), dim=-1)
        return angle.cos(), angle.sin()


def decoder(shape: DecoderShape | None = None, seed: int = 0, **changes: Any) -> Decoder:
    """A hand-written decoder with random weights of a sane size, norms near one."""
    torch.manual_seed(seed)
    model = Decoder(shape or DecoderShape(**changes)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name or "post" in name or name.endswith("bias"):
                parameter.add_(torch.randn_like(parameter) * 0.1)
            elif parameter.ndim == 2 and "proj" in name:
                parameter.copy_(torch.randn_like(parameter) / parameter.shape[1] ** 0.5)
    return model.requires_grad_(False)


def tiny_llama(layers: int = 2, seed: int = 0, **changes: Any) -> LlamaForCausalLM:
    """A Hugging Face Llama of 64 elements with 4 query and 2 KV heads, random weights."""
    torch.manual_seed(seed)
    known: dict[str, Any] = {
        "vocab_size": 64, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": layers,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128,
    }  # fmt: skip
    model: LlamaForCausalLM = LlamaForCausalLM(LlamaConfig(**{**known, **changes}))
    model.train(False)
    return model.requires_grad_(False)
