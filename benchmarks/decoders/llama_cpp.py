"""Contender: llama.cpp on the same GGUF file, `python -m benchmarks.decoders.llama_cpp FILE THREADS`."""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from benchmarks.decoders.serve import serve

CONTEXT = 2048


class LlamaCpp:
    """llama-cpp-python's `Llama`, fed token by token."""

    def __init__(self, file: str, threads: int) -> None:
        self._library: Any = import_module("llama_cpp")
        self._model: Any = self._library.Llama(
            model_path=file, n_ctx=CONTEXT, n_threads=threads, n_threads_batch=threads, verbose=False
        )

    def prefill(self, tokens: Sequence[int]) -> int:
        """The whole prompt as one batch."""
        self._model.reset()
        return self._next(tokens)

    def decode(self, token: int) -> int:
        """One evaluation."""
        return self._next([token])

    def _next(self, tokens: Sequence[int]) -> int:
        self._model.eval(tokens)
        vocabulary = self._model.n_vocab()
        logits = self._library.llama_get_logits_ith(self._model.ctx, -1)
        array: Any = import_module("numpy").ctypeslib.as_array(logits, shape=(vocabulary,))
        return int(array.argmax())

    def about(self) -> str:
        """Version and what it was compiled for."""
        system = self._library.llama_print_system_info().decode()
        flags = [word for word in ("AVX512_VNNI", "AVX_VNNI", "AVX512", "AVX2") if f"{word} = 1" in system]
        return f"llama-cpp-python {self._library.__version__}, {', '.join(flags) or 'no AVX'}"


if __name__ == "__main__":
    serve(LlamaCpp(sys.argv[1], int(sys.argv[2])))
