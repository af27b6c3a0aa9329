"""SmolLM2 with its real weights: accuracy, an answer, and the traced graph against one written by hand."""

from pathlib import Path

import pytest
import torch

from stbuild.chain.english import english_tokens, exact_logits
from stbuild.frontend.checkpoint import open_weights
from stbuild.frontend.model_file import load_model
from stbuild.frontend.model_graph import decode_graph
from stbuild.frontend.tokenizer_files import write_tokenizer
from stbuild.passes.numerics import FixNumerics
from stbuild.reference.accuracy import measure
from stbuild.reference.generate import generate
from stbuild.reference.interpreter import Reference
from tests.reference.conftest import PROJECT
from tests.reference.float_reference import FloatReference
from tests.reference.smollm2 import GgufTensors, rope_table, smollm2_graph

CONTEXT = 256
CAPITAL = (1, 4093, 198, 1780, 314, 260, 3575, 282, 4649, 47, 2, 198, 1, 520, 9531, 198)
"""<|im_start|>user What is the capital of France?<|im_end|> <|im_start|>assistant, each with a newline."""
END = 2
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def exact(smollm2_gguf: Path) -> Reference:
    graph = FixNumerics()(smollm2_graph(CONTEXT))
    return Reference(graph=graph, weights=GgufTensors(smollm2_gguf), tables={"rope": rope_table(CONTEXT)})


def test_the_gates_hold_on_a_page_of_english(exact: Reference, smollm2_gguf: Path, tmp_path: Path) -> None:
    """The whole measurement is the target projects/smollm2_135m:accuracy; this is its first 256 tokens."""
    write_tokenizer(smollm2_gguf, tmp_path)
    floats = FloatReference(graph=smollm2_graph(CONTEXT), weights=exact.weights, tables=exact.tables)
    found = measure(exact_logits(exact), floats.run, english_tokens(tmp_path, 256), window=CONTEXT)
    assert found.holds, found.report()


def test_it_knows_the_capital_of_france(exact: Reference, smollm2_gguf: Path, tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    write_tokenizer(smollm2_gguf, tmp_path)
    answer = generate(exact, CAPITAL, 12, stop=(END,))
    assert "Paris" in Tokenizer.from_file(str(tmp_path / "tokenizer.json")).decode(list(answer))


def test_the_traced_graph_computes_what_the_hand_written_one_does(
    exact: Reference, smollm2_gguf: Path
) -> None:
    traced = decode_graph(load_model(PROJECT / "model.py").module, name="smollm2", context=CONTEXT)
    weights = open_weights(smollm2_gguf, traced.graph)
    ours = Reference(graph=FixNumerics()(traced.graph), weights=weights, tables=traced.tables)
    hidden = [o.run(CAPITAL, keep=("*",), all_logits=True) for o in (exact, ours)]
    assert torch.equal(hidden[0].logits, hidden[1].logits)
    assert all(map(torch.equal, hidden[0].kept.values(), hidden[1].kept.values()))
