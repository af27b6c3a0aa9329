"""Contender: transformers in float32, with the GGUF's weights as floats.

`python -m benchmarks.decoders.torch_fp32 MODEL.py GRAPH.json FILE.gguf THREADS static|dynamic`
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import DynamicCache, StaticCache

from benchmarks.decoders.serve import serve
from stbuild.chain.english import filled
from stbuild.frontend.checkpoint import open_weights
from stbuild.frontend.model_file import load_real_model
from stbuild.ir.graph import Graph
from stbuild.ops.files import read_graph

CONTEXT = 2048


class TorchFloat:
    """The project's module as it is run everywhere else: eager, with a cache of transformers."""

    def __init__(self, model: Path, graph: Graph, gguf: Path, cache: str) -> None:
        self._model: Any = filled(load_real_model(model), graph, open_weights(gguf, graph))
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


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[4]))
    traced = read_graph(Path(sys.argv[2]))
    serve(TorchFloat(Path(sys.argv[1]), traced, Path(sys.argv[3]), sys.argv[5]))
