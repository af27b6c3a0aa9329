"""A graph run in floats alone: what integers approximate, and what a traced model must equal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from stbuild.ir.graph import Graph
from stbuild.ir.tensors import Tensors
from stbuild.reference.floats import FloatInputs, Tokens, float_value


@dataclass(frozen=True, kw_only=True)
class FloatReference:
    """A graph, before or after the numerics pass, with its numbers; tables [context, width]."""

    graph: Graph
    weights: Tensors
    tables: Mapping[str, NDArray[np.float32]]

    def run(self, tokens: Sequence[int], start: int = 0) -> Tensor:
        """The logits [T, vocabulary] of all tokens of a sequence, float32."""
        flow: tuple[Tensor, ...] = ()
        sequences = (Tokens(ids=tuple(tokens), start=start),)
        for block in self.graph.blocks:
            for run in range(block.count):
                inputs = FloatInputs(run=run, sequences=sequences, weights=self.weights, tables=self.tables)
                inputs.values.update(zip(block.inputs, flow, strict=True))
                for op in block.ops:
                    inputs.values[op.name] = float_value(inputs, op)
                flow = tuple(inputs.values[name] for name in block.outputs)
        return flow[0]
