"""Attention in a network: its four processes, its part of the engine's work, and its cache in memory."""

from dataclasses import dataclass

from stbuild.ir.design import StreamKind
from stbuild.ir.kv import BLOCK, LOOK_AHEAD, SLICES
from stbuild.ir.plumbing import ParamRead, ReadKv, ReadKvScales, WriteKv, WriteKvTiles
from stbuild.ir.streaming import Streaming
from stbuild.ir.types import LANES, words_of
from stbuild.ops.attention import Attention
from stbuild.ops.attention_heads import AttentionHeads
from stbuild.ops.attention_scores import AttentionScores
from stbuild.ops.attention_values import AttentionValues
from stbuild.ops.attention_weights import AttentionWeights
from stbuild.passes.net import (
    COLLECT,
    CONTROL,
    DISPATCH,
    READ_PARAMS,
    KvStreams,
    Net,
    OfEngine,
    OfOp,
    StreamFormat,
)
from stbuild.passes.wiring import ToOp

HEADS, SCORES, WEIGHTS, VALUES = "", "scores", "weights", "values"
"""Parts of an attention op: the first takes its operands, the last gives its result."""


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
        weighed = self._between("recent", WEIGHTS, VALUES, rows * recent)
        totals = self._between("totals", WEIGHTS, VALUES, rows)
        kv_in, kv_out = self._records()
        tiles, older = self._blocks()
        heads, scored = AttentionHeads(attention=op), AttentionScores(attention=op)
        weighted, valued = AttentionWeights(attention=op), AttentionValues(attention=op)
        self._add(HEADS, heads, (*operands, *kv_in), (*kv_out, tiles, engine.queries, scales, dots, values))
        self._add(
            SCORES, scored, (engine.products, dots, scales, older, *self._sinks()), (scores, tops, folded)
        )
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
        """Queries and weights to the engine, products and sums from it."""
        engine = self.net.bound[self.block]
        to, back = (self.net.process(OfEngine(engine=engine, part=part)) for part in (DISPATCH, COLLECT))
        blocks = self._row_words // 2
        return KvStreams(
            queries=self._stream("queries", self._process(HEADS), to, self.op.kv.groups),
            products=self._stream("products", back, self._process(SCORES), 1),
            weights=self._stream("weights", self._process(WEIGHTS), to, SLICES * blocks),
            sums=self._stream("sums", back, self._process(VALUES), SLICES * self.op.kv.value_tiles),
        )

    def _between(self, what: str, source: str, sink: str, words: int) -> str:
        return self._stream(what, self._process(source), self._process(sink), words)

    def _stream(self, what: str, source: str, sink: str, words: int) -> str:
        return self.net.stream(self._label(what), source, sink, StreamFormat(words), StreamKind.HEADS)

    def _records(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Readers and writers of the records of keys and of values."""
        net, heads = self.net, self._process(HEADS)
        ins, outs = [], []
        for part, words in (("kv_k", self.op.key_words), ("kv_v", self.op.value_words)):
            region = net.regions.new(self._label(part))
            reader, writer = f"read_{region}", f"write_{region}"
            form = StreamFormat(words)
            ins.append(
                net.stream(self._label(f"{part}_in"), net.process(reader), heads, form, StreamKind.KV_READ)
            )
            outs.append(
                net.stream(self._label(f"{part}_out"), heads, net.process(writer), form, StreamKind.KV_WRITE)
            )
            read = ReadKv(region=region, block=self.block, record_words=words)
            write = WriteKv(region=region, block=self.block, record_words=words)
            net.add(reader, read, self.block, (), (ins[-1],), CONTROL)
            net.add(writer, write, self.block, (outs[-1],), (), CONTROL)
        return tuple(ins), tuple(outs)

    def _blocks(self) -> tuple[str, str]:
        """The streams of full blocks to memory, and of their scales from it."""
        net, op = self.net, self.op
        region = net.regions.new(self._label("kv_scales"))
        writer, reader = (net.process(f"{way}_{region}") for way in ("write", "read"))
        words = StreamFormat(op.kv.block_words)
        tiles = net.stream(self._label("kv_tiles"), self._process(HEADS), writer, words, StreamKind.KV_WRITE)
        older = net.stream(
            self._label("kv_scales"), reader, self._process(SCORES), StreamFormat(1), StreamKind.KV_READ
        )
        cache = net.cache(net.bound[self.block])
        write = WriteKvTiles(region=region, kv=cache, op=op.name, block=self.block)
        read = ReadKvScales(region=region, op=op.name, block=self.block)
        net.add(f"write_{region}", write, self.block, (tiles,), (), CONTROL)
        net.add(f"read_{region}", read, self.block, (), (older,), CONTROL)
        return tiles, older

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
