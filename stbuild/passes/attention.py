"""Attention in a network: its four processes, its part of the engine's work, and its cache in memory."""

from dataclasses import dataclass

from stbuild.ir.design import StreamKind
from stbuild.ir.kv import BLOCK, LOOK_AHEAD, SLICES
from stbuild.ir.plumbing import ParamRead
from stbuild.ir.streaming import Streaming
from stbuild.ir.types import LANES, words_of
from stbuild.ops.attention import Attention
from stbuild.ops.attention_heads import AttentionHeads
from stbuild.ops.attention_scores import AttentionScores
from stbuild.ops.attention_values import AttentionValues
from stbuild.ops.attention_weights import AttentionWeights
from stbuild.passes.net import (
    COLLECT,
    DISPATCH,
    READ_KV,
    READ_PARAMS,
    WRITE_KV,
    KvStreams,
    Net,
    OfEngine,
    OfOp,
    StreamFormat,
)
from stbuild.passes.wiring import ToOp

HEADS, SCORES, WEIGHTS, VALUES = "", "scores", "weights", "values"
"""Parts of an attention op: the first takes its operands, the last gives its result."""

WEIGHED = 3
"""Neighbouring heads' values lie in other lanes, so that those of three keep more lanes at work."""


def add_attention(net: Net, block: int, op: Attention) -> None:
    """The processes of `op`, the streams of whose operands and result are there."""
    _Made(net=net, block=block, op=op).add()


@dataclass(frozen=True, kw_only=True)
class _Made:
    net: Net
    block: int
    op: Attention

    def add(self) -> None:
        """Head by head: queries to the engine, products to scores, scores to weights, weights to values."""
        op, net = self.op, self.net
        operands = tuple(net.arrivals[ToOp(block=self.block, op=op.name, slot=s)] for s in range(3))
        engine = self._engine_streams()
        net.attentions[self.block, op.name] = engine
        rows, recent = self._rows, self._recent_words
        scales = self._between("scales", HEADS, SCORES, words_of(rows) + recent)
        dots = self._between("dots", HEADS, SCORES, rows * recent)
        values = self._between("values", HEADS, VALUES, self._heads_ahead * self._recent * op.kv.record_words)
        scores = self._between("scores", SCORES, WEIGHTS, self._heads_ahead * rows * self._row_words)
        tops = self._between("tops", SCORES, WEIGHTS, self._heads_ahead * rows)
        folded = self._between("value_scales", SCORES, WEIGHTS, self._heads_ahead * self._row_words)
        weighed = self._between("recent", WEIGHTS, VALUES, self._heads_weighed * rows * recent)
        totals = self._between("totals", WEIGHTS, VALUES, self._heads_weighed * rows)
        heads, scored = AttentionHeads(attention=op), AttentionScores(attention=op)
        weighted, valued = AttentionWeights(attention=op), AttentionValues(attention=op)
        given = engine.written, engine.queries, scales, dots, values
        products = engine.products, dots, scales, engine.scales
        self._add(HEADS, heads, (*operands, engine.records), given)
        self._add(SCORES, scored, (*products, *self._sinks()), (scores, tops, folded))
        self._add(WEIGHTS, weighted, (scores, tops, folded), (engine.weights, weighed, totals))
        self._add(VALUES, valued, (engine.sums, weighed, totals, values), (net.values[self.block, op.name],))

    @property
    def _chunk(self) -> int:
        return self.net.chunk

    @property
    def _rows(self) -> int:
        """Queries of a chunk that share a head of keys."""
        return self._chunk * self.op.kv.shared

    @property
    def _heads_ahead(self) -> int:
        """Heads whose scores may wait for their values, the current one among them."""
        return min(LOOK_AHEAD + 1, self.op.kv_heads)

    @property
    def _heads_weighed(self) -> int:
        """Heads whose weights may be with the engine while the sums of one are added up."""
        return min(WEIGHED, self.op.kv_heads)

    @property
    def _recent(self) -> int:
        """Recent positions, at most."""
        return BLOCK - 1 + self._chunk

    @property
    def _recent_words(self) -> int:
        return words_of(self._recent)

    @property
    def _row_words(self) -> int:
        """Words with a number for each position."""
        blocks = -(-self.net.graph.context // BLOCK)
        return blocks * BLOCK // LANES + self._recent_words

    def _engine_streams(self) -> KvStreams:
        """Queries and weights to the engine, products and sums from it; the cache to and from memory."""
        engine = self.net.bound[self.block]
        to, back = (self.net.process(OfEngine(engine=engine, part=part)) for part in (DISPATCH, COLLECT))
        blocks = self._row_words // 2
        return KvStreams(
            queries=self._stream("queries", self._process(HEADS), to, self.op.kv.groups),
            products=self._stream("products", back, self._process(SCORES), 1),
            weights=self._stream("weights", self._process(WEIGHTS), to, SLICES * blocks),
            sums=self._stream("sums", back, self._process(VALUES), SLICES * self.op.kv.value_tiles),
            records=self._read("kv_in", HEADS, self.op.kv.position_words),
            scales=self._read("kv_scales", SCORES, 1),
            written=self.net.stream(
                self._label("kv_out"), self._process(HEADS), self.net.process(WRITE_KV),
                StreamFormat(self.op.kv.position_words), StreamKind.KV_WRITE,
            ),
        )  # fmt: skip

    def _read(self, what: str, part: str, words: int) -> str:
        reader, form = self.net.process(READ_KV), StreamFormat(words)
        return self.net.stream(self._label(what), reader, self._process(part), form, StreamKind.KV_READ)

    def _between(self, what: str, source: str, sink: str, words: int) -> str:
        return self._stream(what, self._process(source), self._process(sink), words)

    def _stream(self, what: str, source: str, sink: str, words: int) -> str:
        return self.net.stream(self._label(what), source, sink, StreamFormat(words), StreamKind.HEADS)

    def _sinks(self) -> tuple[str, ...]:
        op = self.op
        if not op.param_words:
            return ()
        source, sink = self.net.process(READ_PARAMS), self._process(SCORES)
        form = StreamFormat(op.param_words)
        stream = self.net.stream(self._label("params"), source, sink, form, StreamKind.PARAMS)
        read = ParamRead(params=op.fixed_params, block=self.block, words=op.param_words)
        self.net.params.append((stream, read))
        return (stream,)

    def _add(self, part: str, process: Streaming, reads: tuple[str, ...], writes: tuple[str, ...]) -> None:
        self.net.add(OfOp(block=self.block, op=self.op.name, part=part), process, self.block, reads, writes)

    def _process(self, part: str) -> str:
        return self.net.process(OfOp(block=self.block, op=self.op.name, part=part))

    def _label(self, what: str) -> str:
        return f"{self.net.label(self.block, self.op.name)}_{what}"
