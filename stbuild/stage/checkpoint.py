"""A checkpoint as packing and the reference see it: matrices as the card holds them, and floats."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stbuild.frontend.weight_source import open_weights
from stbuild.frontend.weights import Packing, Weights, parameters
from stbuild.ir.graph import Graph, Linear
from stbuild.ir.packed import PackedMatrix
from stbuild.ir.weights import WeightFormat, WeightIndex


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """`ir.tensors.Tensors` over whatever weights were opened; keeps the floats read last."""

    weights: Weights
    transposed: frozenset[str]

    def matrix(self, name: str) -> PackedMatrix:
        """The weight of a Linear, [rows, cols]."""
        return self.weights.packed(name, transposed=name in self.transposed)

    def array(self, name: str) -> NDArray[np.float32]:
        """Any tensor, as floats."""
        return _floats(self.weights, name)

    def rows(self, name: str, start: int, stop: int) -> NDArray[np.float32]:
        """Rows `start` to `stop` of `array(name)`."""
        return self.array(name)[start:stop]


@lru_cache(maxsize=1)
def _floats(weights: Weights, name: str) -> NDArray[np.float32]:
    return weights.floats(name)


def open_checkpoint(graph: Graph, source: str | None, options: Path) -> Checkpoint:
    """The weights of `graph` at `source`, or synthetic ones; `options` is JSON with group, seed, names."""
    wanted = json.loads(options.read_text())
    weights = open_weights(
        Path(source) if source else None,
        graph,
        seed=wanted["seed"],
        packing=Packing(group=wanted["group"]),
        renamed=wanted.get("names", {}),
    )
    return Checkpoint(weights=weights, transposed=frozenset(_transposed(graph)))


def index_of(graph: Graph, checkpoint: Checkpoint, synthetic: bool) -> WeightIndex:
    """Shape and number format of every tensor that the graph uses."""
    formats: dict[str, WeightFormat] = {}
    for op, field, param in parameters(graph):
        for name in param.names:
            if isinstance(op, Linear) and field == "weight":
                matrix = checkpoint.matrix(name)
                formats[name] = WeightFormat(shape=param.shape, bits=matrix.bits, group=matrix.group)
            else:
                formats.setdefault(name, WeightFormat(shape=param.shape))
    return WeightIndex(
        formats=dict(sorted(formats.items())), source=checkpoint.weights.source, synthetic=synthetic
    )


def _transposed(graph: Graph) -> list[str]:
    return [name for _, _, param in parameters(graph) if param.transposed for name in param.names]
