"""Measures SmolLM2's arithmetic against float32: `python benchmarks/accuracy.py FILE.gguf`.

Prints KL divergence, top-1 agreement and perplexity over 3,072 tokens of English. The same figures are
the target `projects/smollm2_135m:accuracy`; this needs no build.
"""

import sys
from argparse import ArgumentParser
from pathlib import Path
from tempfile import TemporaryDirectory

from stbuild.chain.english import english_tokens, exact_logits, float_logits, report
from stbuild.frontend.checkpoint import open_weights
from stbuild.frontend.model_file import load_model
from stbuild.frontend.model_graph import decode_graph
from stbuild.frontend.module_run import ModuleRun
from stbuild.frontend.tokenizer_files import write_tokenizer
from stbuild.passes.numerics import FixNumerics
from stbuild.reference.accuracy import Accuracy, measure
from stbuild.reference.interpreter import Reference

MODEL = Path(__file__).resolve().parents[1] / "projects/smollm2_135m/model.py"


def accuracy(gguf: Path, count: int, window: int) -> Accuracy:
    """Trace, read, and score `count` tokens."""
    module = load_model(MODEL).module
    traced = decode_graph(module, name="smollm2", context=window)
    weights = open_weights(gguf, traced.graph)
    exact = Reference(graph=FixNumerics()(traced.graph), weights=weights, tables=traced.tables)
    with TemporaryDirectory() as folder:
        write_tokenizer(gguf, Path(folder))
        tokens = english_tokens(Path(folder), count)
    floats = float_logits(ModuleRun(module=module, context=window), traced.graph, weights)
    return measure(exact_logits(exact), floats, tokens, window)


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("gguf", type=Path)
    parser.add_argument("--tokens", type=int, default=3072)
    parser.add_argument("--window", type=int, default=512)
    args = parser.parse_args()
    sys.stdout.write(report(accuracy(args.gguf, args.tokens, args.window), args.gguf.name))
