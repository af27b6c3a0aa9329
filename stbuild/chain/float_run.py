"""Runs a model, its graph in floats and its graph in integers side by side, on the same weights."""

import copy
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stbuild.frontend.derived_weights import known_uses
from stbuild.frontend.weights import Checkpoint, Uses, uses_of
from stbuild.ir.graph import Graph
from stbuild.reference.apart import Apart, SharedMatrices
from stbuild.reference.dual_run import DualRun, Matrix, Sample, matrix_of
from stbuild.reference.floats import Tokens
from stbuild.reference.lockstep import Lockstep
from stbuild.step import uncollected

LARGE = 2 * 10**9
"""Weights from which on the longer prompt is shorter, so that a model of 7 billion is checked in a minute."""
LONG, LONG_OF_LARGE, SHORT, EXACT = 21, 9, 2, 4
"""Tokens of the prompt at position 0, of that at the context's end, and of those computed in integers too."""
CAPACITY = 2**30
"""Bytes of matrices in float32 that are kept: more than one layer's or than the head."""


class Watcher(Protocol):
    """Takes in what each op makes; what it found is in its fields."""

    def add(self, sample: Sample) -> None:
        """Take a sample in."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """The logits of all rows by the module and by the graph in floats."""

    module: Tensor
    graph: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatRun:
    """A model (without parameters' memory), its graph after the numerics pass, and their numbers.

    `text` is what to say to a model that has learnt a language; without it, any ids. With `apart`, a model
    whose matrices fit into memory is made, with all that it imports, while another process runs the graph.
    """

    module: Callable[[], nn.Module]
    graph: Graph
    weights: Checkpoint
    uses: Uses
    tables: Mapping[str, NDArray[np.float32]]
    text: tuple[int, ...] = ()
    apart: bool = False

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
        self, watcher: Watcher, seen: Callable[[Tensor], None] | None = None, *, shown: int = 0,
    ) -> Outcome:  # fmt: skip
        """All prompts by module and graph; `seen` gets what the module makes of prompt `shown`."""
        if self.apart and 4 * self._matrix_elements() <= CAPACITY:
            return self._run_apart(watcher, seen, shown)
        step: Lockstep[Matrix] = Lockstep(
            lambda name: matrix_of(self.weights.matrix(name)), lambda matrix: matrix.bytes, CAPACITY
        )
        models = self._models(lambda name: step.get(name).dense, seen, shown)
        first, second, graph = step.run((*models, lambda: self._twin(step.get, watcher)))
        return Outcome(module=torch.cat((first, second)), graph=graph)

    def _run_apart(self, watcher: Watcher, seen: Any, shown: int) -> Outcome:
        matrices = SharedMatrices({name: self.uses.shapes[name] for name in self.uses.matrices})

        def graph() -> tuple[Any, Any]:
            try:
                made = {name: matrices.put(name, matrix_of(self.weights.matrix(name))) for name in matrices}
            finally:
                matrices.done()
            return self._twin(made.__getitem__, watcher).numpy(), watcher

        with Apart(graph) as there, ThreadPoolExecutor(2) as pool:
            models = self._models(lambda name: matrices.get(name, there), seen, shown)
            first, second = pool.map(lambda job: job(), models)
            logits, back = there.result()
        vars(watcher).update(vars(back))
        return Outcome(module=torch.cat((first, second)), graph=torch.from_numpy(logits))

    def _twin(self, matrix: Callable[[str], Matrix], watcher: Watcher) -> Tensor:
        dual = DualRun(graph=self.graph, weights=self.weights, matrix=matrix, tables=self.tables)
        return dual.run(self.prompts, self.exact_rows, watcher.add)

    def _models(
        self, dense: Callable[[str], Tensor], seen: Any, shown: int
    ) -> tuple[Callable[[], Tensor], Callable[[], Tensor]]:
        """What runs each prompt on a module of its own."""
        model = self.module()
        from stbuild.frontend.module_run import module_logits  # late: it imports transformers

        parameters = _Parameters(weights=self.weights, uses=self.uses, dense=dense)

        def logits(model: nn.Module, number: int) -> Tensor:
            prompt, watch = self.prompts[number], seen if shown == number else None
            return module_logits(model, parameters, prompt.ids, prompt.start, self.graph.context, watch)

        other = copy.deepcopy(model)
        return lambda: logits(model, 0), lambda: logits(other, 1)

    def _matrix_elements(self) -> int:
        return sum(int(np.prod(self.uses.shapes[name])) for name in self.uses.matrices)


@dataclass(frozen=True, kw_only=True)
class _Parameters:
    """The module's parameters as the card has them: matrices dequantised, gathered rows as stored."""

    weights: Checkpoint
    uses: Uses
    dense: Callable[[str], Tensor]

    def whole(self, name: str, shape: torch.Size) -> Tensor:
        if name in self.uses.matrices:
            dense = self.dense(name)
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


def loaded_once(path: Path, *, lora_merged: bool = False) -> Callable[[], nn.Module]:
    """Makes the model of a file when it is asked for; most of the time goes into what the file imports."""

    @cache
    def module() -> nn.Module:
        with uncollected():
            from stbuild.frontend.model_file import load_model  # late, as above

            return load_model(path, lora_merged=lora_merged).module

    return module


def float_run(
    module: Callable[[], nn.Module], graph: Graph, weights: Checkpoint, tables: Any,
    text: tuple[int, ...] = (), *, apart: bool = False,
) -> FloatRun:  # fmt: skip
    """A run of `graph`, which the numerics pass has fixed, beside the module that `module` makes."""
    uses = known_uses(uses_of(graph), graph.derived)
    return FloatRun(module=module, graph=graph, weights=weights, uses=uses, tables=tables,
                    text=text, apart=apart)  # fmt: skip
