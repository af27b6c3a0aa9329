"""English text, and what the reference and the model itself in float32 make of it."""

from collections.abc import Sequence
from pathlib import Path
from pydoc_data.topics import topics

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from stbuild.errors import StbuildError
from stbuild.frontend.derived_weights import known_uses
from stbuild.frontend.weights import Checkpoint, uses_of
from stbuild.ir.graph import Graph
from stbuild.ops.embed import Embed
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


def filled(module: nn.Module, graph: Graph, weights: Checkpoint) -> nn.Module:
    """`module` with the numbers that the card has: matrices as they are once packed."""
    uses = known_uses(uses_of(graph), graph.derived).matrices
    gathered = {name for block in graph.blocks for op in block.ops if isinstance(op, Embed)
                for name in op.table.names}  # fmt: skip
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name in uses and name not in gathered:
                values = weights.matrix(name).dequantise()
                values = values.T if uses[name].transposed else values
            else:
                values = weights.array(name)
            parameter.copy_(torch.from_numpy(values))
    return module


def exact_logits(reference: Reference) -> Logits:
    """The reference's logits as floats."""
    return lambda tokens: reference.run(tokens, all_logits=True).logits.double() / 2**16


def float_logits(module: nn.Module) -> Logits:
    """The model's logits."""

    def logits(tokens: Sequence[int]) -> Tensor:
        with torch.no_grad():
            result = module(torch.tensor([tokens]))
        found: Tensor = getattr(result, "logits", result)[0]
        return found

    return logits


def report(found: Accuracy, source: str) -> str:
    """The figures and what they are."""
    return (
        f"{found.report()}\n\nMeasured on {source}, teacher-forced on English (Python's documentation),\n"
        "stbuild's integers against the model in float32 with the same weights.\n"
    )
