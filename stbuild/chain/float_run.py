"""Runs a model, its graph in floats and its graph in integers side by side, on the same weights."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stbuild.frontend.derived_weights import known_uses
from stbuild.frontend.runnable import LAST_TOKENS, Runnable
from stbuild.frontend.weights import Checkpoint, Uses, uses_of
from stbuild.ir.graph import Graph
from stbuild.reference.dual_run import DualRun, Matrix, Sample, matrix_of
from stbuild.reference.floats import Tokens
from stbuild.reference.forked import ForkedProcess, SharedMatrices
from stbuild.reference.lockstep import Lockstep
from stbuild.step import uncollected

LARGE = 2 * 10**9
"""Weights from which on the longer prompt is shorter, so that a model of 7 billion is checked in a minute."""
LONG, LONG_OF_LARGE, EXACT = 21, 9, 4
"""Tokens of the prompt at position 0, and of those computed in integers too."""
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

    `last_tokens` is the length of the prompt at the context's end. `text` is what to say to a model that has
    learnt a language; without it, any ids. If `forked`, a process of its own runs the graph while this one
    makes the model, with all that it imports; its matrices must fit into memory.
    No thread may have computed anything before (`forked.py` says why).
    """

    model: Callable[[], Runnable]
    last_tokens: int
    graph: Graph
    weights: Checkpoint
    uses: Uses
    tables: Mapping[str, NDArray[np.float32]]
    text: tuple[int, ...] = ()
    forked: bool = False

    @cached_property
    def prompts(self) -> tuple[Tokens, Tokens]:
        """Two prompts of different lengths, at the first and at the last positions of the context."""
        size = sum(int(np.prod(shape)) for shape in self.uses.shapes.values())
        graph, most = self.graph, LONG_OF_LARGE if size > LARGE else LONG
        any_ids = tuple((7919 * i + 3) % graph.vocab_size for i in range(most))
        ids = (self.text or any_ids)[: min(most, graph.context)]
        short = ids[: min(self.last_tokens, graph.context)]
        return Tokens(ids=ids), Tokens(ids=short, start=graph.context - len(short))

    @property
    def exact_rows(self) -> int:
        """Tokens that are computed in integers too."""
        return min(EXACT, len(self.prompts[0].ids))

    def run(
        self, watcher: Watcher, seen: Callable[[Tensor], None] | None = None, *, shown: int = 0,
    ) -> Outcome:  # fmt: skip
        """All prompts by module and graph; `seen` gets what the module makes of prompt `shown`."""
        if self.forked and 4 * self._matrix_elements() <= CAPACITY:
            return self._run_forked(watcher, seen, shown)
        step: Lockstep[Matrix] = Lockstep(
            lambda name: matrix_of(self.weights.matrix(name)), lambda matrix: matrix.bytes, CAPACITY
        )
        models = self._models(lambda name: step.get(name).dense, seen, shown)
        first, second, graph = step.run((*models, lambda: self._twin(step.get, watcher)))
        return Outcome(module=torch.cat((first, second)), graph=graph)

    def _run_forked(self, watcher: Watcher, seen: Any, shown: int) -> Outcome:
        packed = [name for name, use in self.uses.matrices.items() if not use.padded_later]
        matrices = SharedMatrices({name: self.uses.shapes[name] for name in packed})

        def graph() -> tuple[Any, Any]:
            try:
                made = {name: matrices.put(name, matrix_of(self.weights.matrix(name))) for name in matrices}
            finally:
                matrices.done()
            return self._twin(made.__getitem__, watcher).numpy(), watcher

        with ForkedProcess(graph) as there, ThreadPoolExecutor(2) as pool:
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
        """What runs each prompt in a thread of its own."""
        model = self.model()
        other = model.for_another_thread()
        parameters = GivenParameters(weights=self.weights, uses=self.uses, dense=dense)

        def logits(model: Runnable, number: int) -> Tensor:
            prompt, watch = self.prompts[number], seen if shown == number else None
            return model.logits(parameters, prompt.ids, prompt.start, watch)

        return lambda: logits(model, 0), lambda: logits(other, 1)

    def _matrix_elements(self) -> int:
        return sum(int(np.prod(self.uses.shapes[name])) for name in self.uses.matrices)


@dataclass(frozen=True, kw_only=True)
class GivenParameters:
    """The module's parameters as the card has them: matrices dequantised, gathered rows as stored."""

    weights: Checkpoint
    uses: Uses
    dense: Callable[[str], Tensor]

    def whole(self, name: str, shape: torch.Size) -> Tensor:
        use = self.uses.matrices.get(name)
        if use is not None:
            dense = torch.from_numpy(self.weights.dense(name)) if use.padded_later else self.dense(name)
            return dense.T if use.transposed else dense
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


def lazy_model(path: Path, context: int, *, lora_merged: bool = False) -> Callable[[], Runnable]:
    """Makes the model of a file, or of a folder with exported programs, when it is asked for.

    Most of the time goes into what the file imports.
    """

    @cache
    def model() -> Runnable:
        with uncollected():
            if path.is_dir():
                from stbuild.frontend.exported import read_exported  # late: these import transformers
                from stbuild.frontend.exported_run import ExportedRun

                return ExportedRun(model=read_exported(path))
            from stbuild.frontend.model_file import load_model
            from stbuild.frontend.module_run import ModuleRun

            return ModuleRun(module=load_model(path, lora_merged=lora_merged).module, context=context)

    return model


def float_run(
    model: Callable[[], Runnable], graph: Graph, weights: Checkpoint, tables: Any,
    text: tuple[int, ...] = (), *, last_tokens: int = LAST_TOKENS, forked: bool = False,
) -> FloatRun:  # fmt: skip
    """A run of `graph`, which the numerics pass has fixed, beside what `model` makes."""
    uses = known_uses(uses_of(graph), graph.derived)
    return FloatRun(model=model, graph=graph, weights=weights, uses=uses, tables=tables, text=text,
                    last_tokens=last_tokens, forked=forked)  # fmt: skip
