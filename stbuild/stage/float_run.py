"""Runs a model, its graph in floats and its graph in integers side by side, on the same weights."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stbuild.frontend.derived_weights import known_uses
from stbuild.frontend.module_run import module_logits
from stbuild.frontend.weights import Checkpoint, Uses, uses_of
from stbuild.ir.graph import Graph
from stbuild.reference.floats import Tokens
from stbuild.reference.lockstep import Lockstep
from stbuild.reference.twin import Matrix, Sample, Twin, matrix_of

LARGE = 2 * 10**9
"""Weights from which on the longer prompt is shorter, so that a model of 7 billion is checked in a minute."""
LONG, LONG_OF_LARGE, SHORT, EXACT = 21, 9, 2, 4
"""Tokens of the prompt at position 0, of that at the context's end, and of those computed in integers too."""
CAPACITY = 2**30
"""Bytes of matrices in float32 that are kept: more than one layer's or than the head."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """The logits of all rows by the module and by the graph in floats."""

    module: Tensor
    graph: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatRun:
    """A model (without parameters' memory), its graph after the numerics pass, and their numbers.

    `text` is what to say to a model that has learnt a language; without it, any ids.
    """

    module: nn.Module
    graph: Graph
    weights: Checkpoint
    uses: Uses
    tables: Mapping[str, NDArray[np.float32]]
    text: tuple[int, ...] = ()

    @cached_property
    def prompts(self) -> tuple[Tokens, Tokens]:
        """Two prompts of different lengths, at the first and at the last positions of the context."""
        size = sum(int(np.prod(shape)) for shape in self.uses.shapes.values())
        graph, most = self.graph, LONG_OF_LARGE if size > LARGE else LONG
        any_ids = tuple((7919 * i + 3) % graph.vocab_size for i in range(most))
        ids = (self.text or any_ids)[: min(most, graph.context)]
        short = ids[: min(SHORT, graph.context)]
        return Tokens(ids=ids), Tokens(ids=short, start=graph.context - len(short))

    @property
    def exact_rows(self) -> int:
        """Tokens that are computed in integers too."""
        return min(EXACT, len(self.prompts[0].ids))

    def run(
        self, watch: Callable[[Sample], None], seen: Callable[[Tensor], None] | None = None, *,
        shown: int = 0,
    ) -> Outcome:  # fmt: skip
        """All prompts by module and graph; `seen` gets what the module makes of prompt `shown`."""
        step: Lockstep[Matrix] = Lockstep(
            lambda name: matrix_of(self.weights.matrix(name)), lambda matrix: matrix.bytes, CAPACITY
        )
        twin = Twin(graph=self.graph, weights=self.weights, matrix=step.get, tables=self.tables)
        parameters = _Parameters(weights=self.weights, uses=self.uses, matrix=step.get)
        modules = (self.module, copy.deepcopy(self.module))

        def logits(model: nn.Module, prompt: Tokens, seen: Any) -> Tensor:
            return module_logits(model, parameters, prompt.ids, prompt.start, self.graph.context, seen)

        long, short = self.prompts
        first, second, graph = step.run((
            lambda: logits(modules[0], long, None if shown else seen),
            lambda: logits(modules[1], short, seen if shown else None),
            lambda: twin.run((long, short), self.exact_rows, watch),
        ))  # fmt: skip
        return Outcome(module=torch.cat((first, second)), graph=graph)


@dataclass(frozen=True, kw_only=True)
class _Parameters:
    """The module's parameters as the card has them: matrices dequantised, gathered rows as stored."""

    weights: Checkpoint
    uses: Uses
    matrix: Callable[[str], Matrix]

    def whole(self, name: str, shape: torch.Size) -> Tensor:
        if name in self.uses.matrices:
            dense = self.matrix(name).dense
            return dense.T if self.uses.matrices[name].transposed else dense
        if name in self.uses.shapes or name in self.weights.names():
            return torch.from_numpy(self.weights.array(name)).reshape(shape)
        return _noise(shape)

    def rows(self, name: str, rows: Tensor, shape: torch.Size) -> Tensor:
        if name not in self.uses.shapes:
            return self.whole(name, shape)[rows]
        found = [self.weights.rows(name, r, r + 1) for r in rows.flatten().tolist()]
        return torch.from_numpy(np.concatenate(found)).reshape(*rows.shape, -1)


def _noise(shape: torch.Size) -> Tensor:
    """A parameter that the graph has not: if the logits depend on it, they differ."""
    return torch.empty(shape).uniform_(0.5, 1.5, generator=torch.Generator().manual_seed(0))


def float_run(
    module: nn.Module, graph: Graph, weights: Checkpoint, tables: Any, text: tuple[int, ...] = ()
) -> FloatRun:
    """A run of `graph`, which the numerics pass has fixed."""
    uses = known_uses(uses_of(graph), graph.derived)
    return FloatRun(module=module, graph=graph, weights=weights, uses=uses, tables=tables, text=text)
