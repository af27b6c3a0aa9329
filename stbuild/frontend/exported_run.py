"""Runs exported programs in float32, operator by operator, on weights that are fetched when read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.export.graph_signature import InputKind

from stbuild.frontend.exported import ExportedModel
from stbuild.frontend.model_code import model_code
from stbuild.frontend.module_run import repeated
from stbuild.frontend.parameter_fetching import ParameterFetching, Parameters, Seen
from stbuild.frontend.trace import TracedModel
from stbuild.frontend.untyped import FxValue

_COPY = torch.ops.aten.index_copy.default
"""The operator by which `TracedLayer` puts new keys and values into the cache."""
Memory = list[Tensor]
"""The keys of all layers, then their values, each [1, kv_heads, context, head_dim]."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ExportedRun:
    """The programs of a model, which take one token or a few; the cache goes from call to call."""

    model: ExportedModel

    def takes_at_once(self, tokens: int) -> bool:
        """As the programs do."""
        return tokens in (self.model.decode.tokens, self.model.prefill.tokens)

    def for_another_thread(self) -> Self:
        """Itself: a run changes nothing."""
        return self

    def logits(
        self, parameters: Parameters, tokens: Sequence[int], start: int = 0, seen: Seen | None = None
    ) -> Tensor:
        """The logits [T, vocabulary], by calls of the prefill as long as it fits, then of the decode step."""
        prefill = self.model.prefill
        if start:
            assert len(tokens) == prefill.tokens, "behind other tokens only one call's tokens can repeat"
            return _Call(prefill, parameters, seen).repeated_logits(tokens, start)
        memory = empty_memory(prefill)
        return torch.cat(list(logits_by_calls(self.model, parameters, tokens, 0, memory, seen)))


def empty_memory(traced: TracedModel) -> Memory:
    """An empty KV cache."""
    return [torch.zeros(node.meta["val"].shape) for node in _user_inputs(traced)[2:]]


def vocabulary(traced: TracedModel) -> int:
    """The number of logits of a token."""
    outputs = traced.program.graph_signature.user_outputs
    node = next(node for node in traced.program.graph.nodes if node.name == outputs[0])
    return int(node.meta["val"].shape[-1])


def logits_by_calls(
    model: ExportedModel, parameters: Parameters, tokens: Sequence[int], start: int, memory: Memory,
    seen: Seen | None = None,
) -> Iterator[Tensor]:  # fmt: skip
    """The logits of call after call, from a cache: of prefills while more tokens are left than one takes.

    So both programs run, unless a prefill takes all tokens.
    """
    once, at = len(tokens) == model.prefill.tokens, 0
    while at < len(tokens):
        traced = model.prefill if once or len(tokens) - at > model.prefill.tokens else model.decode
        part = tokens[at : at + traced.tokens]
        logits, memory = _Call(traced, parameters, seen).step(part, start + at, memory)
        yield logits
        at += traced.tokens


@dataclass(frozen=True, eq=False)
class _Call:
    """One call of a program."""

    traced: TracedModel
    parameters: Parameters
    seen: Seen | None = None

    def step(self, tokens: Sequence[int], start: int, memory: Memory) -> tuple[Tensor, Memory]:
        """The logits of `tokens` from position `start` on, and the cache with them."""
        logits, *memory = self._run(tokens, start, memory, None)
        return logits[0].float().clone(), memory

    def repeated_logits(self, tokens: Sequence[int], start: int) -> Tensor:
        """The logits of `tokens`, whose keys and values repeat over the other positions of the cache."""
        place = repeated(self.traced.context, start, len(tokens))
        return self._run(tokens, start, empty_memory(self.traced), place)[0][0].float().clone()

    def _run(
        self, tokens: Sequence[int], start: int, memory: Memory, place: Tensor | None
    ) -> Sequence[Tensor]:
        program = self.traced.program
        given = iter((torch.tensor([list(tokens)]), torch.arange(start, start + len(tokens))[None], *memory))
        inputs, owners = [], {}
        for spec in program.graph_signature.input_specs:
            if spec.kind is InputKind.USER_INPUT:
                inputs.append(next(given))
                continue
            target = str(spec.target)
            known = program.state_dict if target in program.state_dict else program.constants
            inputs.append(known[target])
            if spec.kind is InputKind.PARAMETER:
                owners[id(known[target])] = self.traced.names[target.removeprefix("model.")]
        run = _Interpreter(self.traced, place)
        what = f"the exported program cannot be run with {len(tokens)} tokens at position {start}"
        with torch.no_grad(), model_code(what), ParameterFetching(owners, self.parameters, self.seen):
            made: Sequence[Tensor] = run.run(*inputs)
        return made


class _Interpreter(torch.fx.Interpreter):
    """Runs a program; with `place`, new keys and values stand at all positions of the cache, as it says."""

    def __init__(self, traced: TracedModel, place: Tensor | None) -> None:
        super().__init__(traced.program.graph_module)
        self.memory, self.place = set(_user_inputs(traced)[2:]), place

    def run_node(self, n: torch.fx.Node) -> FxValue:
        """The result of an operator."""
        if self.place is not None and n.target is _COPY and n.args[0] in self.memory:
            _, _, _, new = self.fetch_args_kwargs_from_env(n)[0]
            return new[:, :, self.place]
        return super().run_node(n)


def _user_inputs(traced: TracedModel) -> list[torch.fx.Node]:
    """The nodes of what a call is given: ids, positions, then the cache."""
    program = traced.program
    names = {s.arg.name for s in program.graph_signature.input_specs if s.kind is InputKind.USER_INPUT}
    return [node for node in program.graph.nodes if node.op == "placeholder" and node.name in names]
