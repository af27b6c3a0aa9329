"""Compares what a GGUF file says of its model with the graph that its tensors are for."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from stbuild.errors import StbuildError
from stbuild.frontend.gguf_file import GgufFile
from stbuild.frontend.padding import rotated_places
from stbuild.frontend.tables import Table
from stbuild.ir.graph import Block, Graph
from stbuild.ir.op import Op
from stbuild.ops.attention import Attention
from stbuild.ops.embed import Embed
from stbuild.ops.norm import Norm
from stbuild.ops.rotary import Rotary

_HINT = "give the weights of this model, or the sizes of these weights in model.py"
_OWN_FACTORS = ("longrope", "su")
"""Scalings that give each frequency a factor of its own, so that two neighbours do not tell the base."""


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A metadata key, the numbers that the model has for it, what they are, and the module they are in."""

    key: str
    values: frozenset[float]
    what: str
    origin: str

    def agrees(self, found: object) -> bool:
        """True if `found`, a number or one number a layer, is what the model has."""
        given = found if isinstance(found, list) else [found]
        numbers = [n for n in given if isinstance(n, int | float) and not isinstance(n, bool)]
        known = all(any(math.isclose(n, v, rel_tol=1e-4) for v in self.values) for n in numbers)
        return known and len(numbers) == len(given)


def check_metadata(file: GgufFile, graph: Graph, tables: Mapping[str, Table] | None = None) -> None:
    """Refuse a file whose metadata contradict the graph; rotary embeddings are compared by their `tables`."""
    _check_tokens(file, graph)
    for fact in _facts(graph):
        found = file.model_value(fact.key)
        if found is not None and fact.values and not fact.agrees(found):
            raise _contradiction(file, fact, found)
    length = file.model_value("context_length")
    if isinstance(length, int) and 0 < length < graph.context:
        raise StbuildError(
            f"the file's {file.architecture}.context_length is {length:,}, the context in BUILD.yaml is"
            f" {graph.context:,}",
            where=str(file.path),
            hint=f"set `context` to {length} or less",
        )
    _check_rotary(file, graph, tables or {})


def _facts(graph: Graph) -> Iterator[Fact]:
    ops = [(block, op) for block in graph.blocks for op in block.ops]
    attentions = [op for _, op in ops if isinstance(op, Attention)]
    layers = sum(block.count for block, op in ops if isinstance(op, Attention))
    heads = [size_of(graph, block, op) // op.heads for block, op in ops if isinstance(op, Attention)]
    yield _fact("block_count", "layers with attention", attentions, [layers] if layers else [])
    yield _fact("attention.head_count", "attention heads", attentions, [a.heads for a in attentions])
    yield _fact(
        "attention.head_count_kv", "heads of keys and values", attentions, [a.kv_heads for a in attentions]
    )
    yield _fact("attention.key_length", "elements of a head", attentions, heads)
    embeds = [(block, op) for block, op in ops if isinstance(op, Embed)]
    yield _fact(
        "embedding_length", "elements of an embedding", [op for _, op in embeds],
        [size_of(graph, block, op) for block, op in embeds],
    )  # fmt: skip
    yield _fact("vocab_size", "logits", [], [graph.vocab_size])
    rotated = [(block, op) for block, op in ops if isinstance(op, Rotary)]
    yield _fact(
        "rope.dimension_count", "rotated elements of a head", [op for _, op in rotated],
        [_rotated_size(graph, block, op) for block, op in rotated],
    )  # fmt: skip
    for center, key in ((False, "attention.layer_norm_rms_epsilon"), (True, "attention.layer_norm_epsilon")):
        norms = [op for _, op in ops if isinstance(op, Norm) and op.center is center]
        yield _fact(key, "as a norm's eps", norms, [n.eps for n in norms])


def size_of(graph: Graph, block: Block, op: Op) -> int:
    """The elements that the model gives a value."""
    padded = graph.padded_value(block.name, op.name)
    return padded.size if padded else op.width


def _rotated_size(graph: Graph, block: Block, op: Rotary) -> int:
    return int((rotated_places(graph, block, op) >= 0).sum())


def _fact(key: str, what: str, ops: Sequence[Op], values: Sequence[float]) -> Fact:
    origin = ops[0].origin if ops else ""
    return Fact(key=key, values=frozenset(map(float, values)), what=what, origin=origin)


def _check_tokens(file: GgufFile, graph: Graph) -> None:
    """A tokenizer with more tokens than the model has logits is another model's."""
    tokens = file.value("tokenizer.ggml.tokens")
    if isinstance(tokens, list) and len(tokens) > graph.vocab_size:
        raise StbuildError(
            f"the file's tokenizer.ggml.tokens has {len(tokens):,} tokens, the model has {graph.vocab_size:,}"
            " logits",
            where=str(file.path),
            hint=_HINT,
        )


def _check_rotary(file: GgufFile, graph: Graph, tables: Mapping[str, Table]) -> None:
    """The base and the linear scaling of the file must be those of one of the model's rotary embeddings."""
    ops = {
        op.table: (op, _rotated_size(graph, block, op))
        for block in graph.blocks
        for op in block.ops
        if isinstance(op, Rotary)
    }
    rows = {name: table for name, table in tables.items() if table.shape[0] > 1}
    known = [(op, rotation(rows[n], op, size)) for n, (op, size) in ops.items() if n in rows]
    base, kind = file.model_value("rope.freq_base"), file.model_value("rope.scaling.type")
    if not known or not isinstance(base, float | int) or kind in _OWN_FACTORS:
        return
    factor = file.model_value("rope.scaling.factor") if kind == "linear" else 1.0
    origin = known[0][0].origin
    for key, found, at in (("rope.freq_base", base, 0), ("rope.scaling.factor", factor, 1)):
        values = frozenset(numbers[at] for _, numbers in known)
        what = ("as the base of its rotary embedding", "as the linear scaling of its positions")[at]
        fact = Fact(key=key, values=values, what=what, origin=origin)
        if not fact.agrees(found):
            raise _contradiction(file, fact, found)


def rotation(table: Table, op: Rotary, size: int) -> tuple[float, float]:
    """The base of a rotary embedding, and how many positions make one step, by its table's row of position 1.

    `size` elements of a head are rotated.

    Frequency i of d / 2 is base^(-2i / d) / factor; other scalings leave the first two frequencies alone.
    """
    second = 2 if op.interleaved else 1
    first, next_ = (math.atan2(table[1, op.rotary_dim + i], table[1, i]) for i in (0, second))
    if first <= 0 or next_ <= 0:
        return 0.0, 0.0
    return float(f"{(first / next_) ** (size / 2):.4g}"), float(f"{1 / first:.4g}")


def _contradiction(file: GgufFile, fact: Fact, found: object) -> StbuildError:
    own = " or ".join(f"{v:g}" for v in sorted(fact.values))
    place = f" in {fact.origin}" if fact.origin else ""
    return StbuildError(
        f"the file's {file.architecture}.{fact.key} is {_shown(found)},"
        f" the model{place} has {own} {fact.what}",
        where=str(file.path),
        hint=_HINT,
    )


def _shown(found: object) -> str:
    return f"{found:g}" if isinstance(found, float) else str(found)
