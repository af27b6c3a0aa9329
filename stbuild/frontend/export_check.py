"""Compares exported programs with the module that they were exported from.

A program holds what the module does with one token or with a few. Here both run, on random parameters, with
more tokens and at the end of the context.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import torch
from torch import Tensor, nn

from stbuild.errors import StbuildError
from stbuild.frontend.exported import ExportedModel
from stbuild.frontend.exported_run import Memory, empty_memory, logits_by_calls, vocabulary
from stbuild.frontend.kvcache import TracedLayer, cache_of
from stbuild.frontend.meta_parameters import without_parameter_memory
from stbuild.frontend.model_call import call
from stbuild.frontend.model_code import model_code
from stbuild.frontend.model_graph import check_prefill, decode_graph, prefill_ops
from stbuild.frontend.parameter_fetching import ParameterFetching
from stbuild.frontend.runnable import LAST_TOKENS

MAX_ERROR = 1e-4
"""Of a token's logits: float32 sums in another order are 1e-6 to 2e-5 apart."""
LARGE = 2 * 10**9
"""Parameters from which on the long prompt is shorter."""
LONG, LONG_OF_LARGE = 21, 9
"""Tokens of the prompt at position 0."""
_SPARE = 1_000_003
"""Numbers more than the largest tensor has, so that each parameter begins at a place of its own."""


def check_export(module: nn.Module, exported: ExportedModel) -> None:
    """Raise StbuildError unless `module`, prepared for export, computes what its programs compute."""
    context, numbers = exported.decode.context, Numbers.of(module)
    large = sum(p.numel() for p in module.parameters()) > LARGE
    long, short = (min(tokens, context) for tokens in (LONG_OF_LARGE if large else LONG, LAST_TOKENS))
    for tokens, start in ((long, 0), (short, context - short)):
        ids = tuple((7919 * i + 3) % vocabulary(exported.decode) for i in range(tokens))
        memory = _memory(exported)
        ours = torch.cat(list(logits_by_calls(exported, numbers, ids, start, memory)))
        theirs = _by_module(module, numbers, ids, start, memory)
        error = float(((ours - theirs).norm(dim=1) / theirs.norm(dim=1).clamp(min=1e-30)).max())
        if not error <= MAX_ERROR:
            raise _other_model(module, exported, tokens, start, error)


@dataclass(frozen=True, kw_only=True, eq=False)
class Numbers:
    """Random values for parameters: each starts at its own offset in one long vector."""

    numbers: Tensor

    @staticmethod
    def of(module: nn.Module) -> "Numbers":
        """Numbers of such a size that the products of most matrices are as large as their operands."""
        shapes = [p.shape for p in module.parameters()]
        terms = Counter(shape[-1] for shape in shapes if len(shape) > 1).most_common(1)
        generator = torch.Generator().manual_seed(0)
        most = max((shape.numel() for shape in shapes), default=0)
        drawn = torch.randn(most + _SPARE, generator=generator)
        return Numbers(numbers=drawn.div_(terms[0][0] ** 0.5) if terms else drawn)

    def whole(self, name: str, shape: torch.Size) -> Tensor:
        """A matrix, or a vector of numbers around 1."""
        start = crc32(name.encode()) % _SPARE
        own = self.numbers[start : start + shape.numel()].view(shape)
        return own if len(shape) > 1 else 1 + own

    def rows(self, name: str, rows: Tensor, shape: torch.Size) -> Tensor:
        """Some rows."""
        return self.whole(name, shape)[rows]


def _memory(exported: ExportedModel) -> Memory:
    """Random keys and values for the positions before the first token."""
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(each.shape, generator=generator) for each in empty_memory(exported.decode)]


def _by_module(module: nn.Module, numbers: Numbers, ids: Sequence[int], start: int, memory: Memory) -> Tensor:
    """The logits of one call of the module."""
    positions = torch.arange(start, start + len(ids))[None]
    half, context = len(memory) // 2, memory[0].shape[2] if memory else 0
    pairs = zip(memory[:half], memory[half:], strict=True)
    layers = [TracedLayer(keys, values, positions[0]) for keys, values in pairs]
    what = f"{type(module).__name__} cannot be run with {len(ids)} tokens at position {start}"
    with without_parameter_memory(module) as names, torch.no_grad(), model_code(what):
        owners = {id(p): names[n] for n, p in module.named_parameters(remove_duplicate=False)}
        with ParameterFetching(owners, numbers):
            logits = call(module, torch.tensor([list(ids)]), positions, cache_of([*layers]), context)
    return logits[0].float().clone()


def _other_model(
    module: nn.Module, exported: ExportedModel, tokens: int, start: int, error: float
) -> StbuildError:
    """The first op that differs where the module is traced with so many tokens, if any does."""
    context = exported.decode.context
    try:
        decode = decode_graph(exported, name=type(module).__name__, context=context).graph
        check_prefill(decode, prefill_ops(module, context=context, tokens=tokens))
    except StbuildError as found:
        return found
    return StbuildError(
        f"the module is not what its export shows: the logits of {tokens} tokens from position {start} on"
        f" differ by {error:.2g} of their size ({MAX_ERROR:g} is allowed)",
        hint="what is done to a token must depend on the tokens before it and its position alone",
    )
