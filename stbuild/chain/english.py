"""English text, and its logits by the reference and by the model in float32."""

from functools import cache
from pathlib import Path
from pydoc_data.topics import topics

import torch
from tokenizers import Tokenizer

from stbuild.chain.float_run import GivenParameters
from stbuild.errors import StbuildError
from stbuild.frontend.derived_weights import known_uses
from stbuild.frontend.runnable import Runnable
from stbuild.frontend.weights import Checkpoint, uses_of
from stbuild.ir.graph import Graph
from stbuild.reference.accuracy import Accuracy, Logits
from stbuild.reference.interpreter import Reference


def english_tokens(folder: Path, count: int) -> tuple[int, ...]:
    """The first `count` tokens of the Python documentation that every interpreter carries."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise StbuildError(
            "the weights come without a tokenizer, so no text can be scored", where=str(folder)
        )
    text = "\n".join(topics[name] for name in sorted(topics))
    ids = Tokenizer.from_file(str(path)).encode(text[: 8 * count], add_special_tokens=False).ids
    return tuple(ids[:count])


def exact_logits(reference: Reference) -> Logits:
    """The reference's logits as floats."""
    return lambda tokens: reference.run(tokens, all_logits=True).logits.double() / 2**16


def float_logits(model: Runnable, graph: Graph, weights: Checkpoint) -> Logits:
    """The model's logits, with the numbers that the card has: matrices as they are once packed."""
    uses = known_uses(uses_of(graph), graph.derived)
    dense = cache(lambda name: torch.from_numpy(weights.matrix(name).dequantise()))
    parameters = GivenParameters(weights=weights, uses=uses, dense=dense)
    return lambda tokens: model.logits(parameters, tokens)


def report(found: Accuracy, source: str) -> str:
    """The figures and what they are."""
    return (
        f"{found.report()}\n\nMeasured on {source}, teacher-forced on English (Python's documentation),\n"
        "stbuild's integers against the model in float32 with the same weights.\n"
    )
