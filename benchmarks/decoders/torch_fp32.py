"""Contender: transformers in float32, with the GGUF's weights as floats.

`python -m benchmarks.decoders.torch_fp32 MODEL.py GRAPH.json FILE.gguf THREADS static|dynamic`
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn
from transformers import DynamicCache, StaticCache

from benchmarks.decoders.serve import serve
from stbuild.frontend.checkpoint import open_weights
from stbuild.frontend.derived_weights import known_uses
from stbuild.frontend.model_file import load_model
from stbuild.frontend.weights import Checkpoint, uses_of
from stbuild.ir.graph import Graph
from stbuild.ops.embed import Embed
from stbuild.ops.files import read_graph

CONTEXT = 2048


class TorchFloat:
    """The project's module as it is run everywhere else: eager, with a cache of transformers."""

    def __init__(self, model: Path, graph: Graph, gguf: Path, cache: str) -> None:
        self._model: Any = filled(load_model(model).module, graph, open_weights(gguf, graph))
        self._kind = cache
        self._cache: Any = None

    def prefill(self, tokens: Sequence[int]) -> int:
        """The whole prompt at once."""
        config = self._model.config
        static = self._kind == "static"
        self._cache = StaticCache(config=config, max_cache_len=CONTEXT) if static else DynamicCache()
        return self._next(tokens)

    def decode(self, token: int) -> int:
        """One call of the module."""
        return self._next([token])

    def _next(self, tokens: Sequence[int]) -> int:
        with torch.inference_mode():
            ids = torch.tensor([list(tokens)])
            result = self._model(input_ids=ids, past_key_values=self._cache, use_cache=True, logits_to_keep=1)
        return int(result.logits[0, -1].argmax())

    def about(self) -> str:
        """Versions."""
        return (
            f"torch {torch.__version__}, transformers {transformers.__version__}, {self._kind} cache, eager"
        )


def filled(module: nn.Module, graph: Graph, weights: Checkpoint) -> nn.Module:
    """`module`, whose parameters have no memory, with the numbers that the card has."""
    uses = known_uses(uses_of(graph), graph.derived).matrices
    gathered = {name for block in graph.blocks for op in block.ops if isinstance(op, Embed)
                for name in op.table.names}  # fmt: skip
    made: dict[int, nn.Parameter] = {}
    for name, parameter in list(module.named_parameters(remove_duplicate=False)):
        if id(parameter) not in made:
            packed = name in uses and name not in gathered
            values = weights.matrix(name).dequantise() if packed else weights.array(name)
            values = values.T if packed and uses[name].transposed else values
            made[id(parameter)] = nn.Parameter(torch.from_numpy(values.copy()), requires_grad=False)
        owner, _, leaf = name.rpartition(".")
        setattr(module.get_submodule(owner), leaf, made[id(parameter)])
    return module.eval()


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[4]))
    traced = read_graph(Path(sys.argv[2]))
    serve(TorchFloat(Path(sys.argv[1]), traced, Path(sys.argv[3]), sys.argv[5]))
