"""The tensor graph, run in PyTorch with the exact integers of docs/numerics.md."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from stbuild.errors import StbuildError
from stbuild.ir.graph import Block, Graph
from stbuild.ir.tensors import Tensors
from stbuild.ir.values import block_shapes
from stbuild.reference.attention import KvCache
from stbuild.reference.kernels import KERNELS, OpInputs
from stbuild.reference.linear import Quantised, WideMatrix
from stbuild.reference.threads import Mapper, mapper

ValueKey = tuple[str, int, str]
"""Block, run and value."""
OUTPUTS = "*"
"""Keeps the outputs of every block run."""


@dataclass(kw_only=True)
class State:
    """What a sequence leaves behind: its length and the KV cache of each attention op and run."""

    position: int = 0
    caches: dict[ValueKey, KvCache] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """Integers of one pass: logits [T or 1, vocabulary] and the vectors [T, width] that were kept."""

    logits: Tensor
    kept: Mapping[ValueKey, Tensor]


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A graph after the numerics pass with its numbers; `tables` are floats [context, width].

    `wide` keeps every matrix unpacked, 8 bytes a weight, which speeds up many short passes;
    without it a pass holds no more than one packed matrix.
    """

    graph: Graph
    weights: Tensors
    tables: Mapping[str, NDArray[np.float32]]
    wide: bool = False
    _matrices: dict[str, WideMatrix] = field(default_factory=dict, init=False, repr=False, compare=False)

    def run(
        self, tokens: Sequence[int], state: State | None = None, *,
        keep: Sequence[str] = (), all_logits: bool = False,
    ) -> Outcome:  # fmt: skip
        """Run `tokens` behind those of `state`, which moves on; all of them pass a layer at once.

        `keep` names values to return from every run; "*" stands for the outputs of each block.
        Logits are those of the last token, or of each with `all_logits`.
        """
        state = state if state is not None else State()
        self._check(tokens, state)
        positions = range(state.position, state.position + len(tokens))
        with mapper() as each:
            outcome = self._run(tuple(tokens), positions, state.caches, each, keep, all_logits)
        state.position = positions.stop
        return outcome

    def _run(
        self, tokens: tuple[int, ...], positions: range, caches: dict[ValueKey, KvCache], each: Mapper,
        keep: Sequence[str], all_logits: bool,
    ) -> Outcome:  # fmt: skip
        flow: tuple[Tensor, ...] = ()
        kept: dict[ValueKey, Tensor] = {}
        shapes = block_shapes(self.graph)
        for block in self.graph.blocks:
            if block is self.graph.blocks[-1] and not all_logits:
                tokens, positions, flow = tokens[-1:], positions[-1:], tuple(x[-1:] for x in flow)
            for run in range(block.count):
                inputs = OpInputs(block=block, run=run, tokens=tokens, positions=positions,
                            shapes=shapes[block.name], weights=self.weights, tables=self.tables,
                            caches=caches, wide=self._matrices if self.wide else None, each=each)  # fmt: skip
                values = _values(inputs, flow)
                flow = tuple(values[name] for name in block.outputs)
                kept.update({(block.name, run, name): values[name] for name in _wanted(block, keep)})
        return Outcome(logits=flow[0], kept=kept)

    def _check(self, tokens: Sequence[int], state: State) -> None:
        total = state.position + len(tokens)
        if not tokens:
            raise StbuildError("there is no token to run")
        if total > self.graph.context:
            raise StbuildError(f"{total} tokens do not fit the context of {self.graph.context}")
        if bad := [t for t in tokens if not 0 <= t < self.graph.vocab_size]:
            raise StbuildError(f"token {bad[0]} is not in the vocabulary of {self.graph.vocab_size}")


def _values(inputs: OpInputs, flow: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """All vectors of one run of a block whose inputs are `flow`."""
    inputs.vectors.update(zip(inputs.block.inputs, flow, strict=True))
    for op in inputs.block.ops:
        value = KERNELS[type(op)](inputs, op)
        if isinstance(value, Quantised):
            inputs.quantised[op.name] = value
        else:
            inputs.vectors[op.name] = value
    return inputs.vectors


def _wanted(block: Block, keep: Sequence[str]) -> set[str]:
    names = {op.name for op in block.ops} & set(keep)
    return names | set(block.outputs) if OUTPUTS in keep else names
