"""One matmul engine in a network: its router, its compute units, and the streams between them."""

from dataclasses import dataclass

from stbuild.ir.design import BlockRuns, StreamKind
from stbuild.ir.engine import Engine
from stbuild.ir.kv import BLOCK
from stbuild.ir.plumbing import Collect, ComputeUnit, Dispatch
from stbuild.ir.schedule import KvMatmul, MatmulOp
from stbuild.ir.types import GROUP, LANES
from stbuild.ops.linear import Linear
from stbuild.passes.net import COLLECT, DISPATCH, READ_WEIGHTS, SEQUENCE, UNIT, Net, OfEngine, StreamFormat
from stbuild.passes.wiring import ToEngine

LAUNCH = -1
"""The block number of processes that belong to the launch, not to a block."""
DESCRIPTOR = StreamFormat(1)


@dataclass(frozen=True, kw_only=True)
class UnitStreams:
    """The streams of one compute unit."""

    desc: str
    act: str
    weights: tuple[str, ...]
    tiles: str


@dataclass(frozen=True, kw_only=True)
class EngineFrame:
    """Engine `number` of a network with its schedule; `desc` brings its descriptors."""

    net: Net
    number: int
    schedule: tuple[MatmulOp | KvMatmul, ...]
    blocks: tuple[BlockRuns, ...]
    desc: str
    collected: str
    units: tuple[UnitStreams, ...]

    @staticmethod
    def of(
        net: Net, number: int, schedule: tuple[MatmulOp | KvMatmul, ...], blocks: tuple[BlockRuns, ...]
    ) -> "EngineFrame":
        """Make the streams of an engine: descriptors, then those of each unit, then the weights."""

        def process(part: str, index: int | None = None) -> str:
            return net.process(OfEngine(engine=number, part=part, number=index))

        def stream(
            part: str, index: int | None, source: str, sink: str, flow: StreamFormat, kind: StreamKind
        ) -> str:
            return net.stream(net.engine_label(number, part, index), source, sink, flow, kind)

        engine = net.engines[number]
        sequence, dispatch, collect = net.process(SEQUENCE), process(DISPATCH), process(COLLECT)
        desc = stream("desc", None, sequence, dispatch, DESCRIPTOR, StreamKind.DESCRIPTOR)
        collected = stream("desc_collect", None, dispatch, collect, DESCRIPTOR, StreamKind.DESCRIPTOR)
        widest = StreamFormat(max(op.cols for op in schedule if isinstance(op, MatmulOp)) // GROUP)
        ends = []
        for u in range(len(engine.lanes)):
            unit = process(UNIT, u)
            ends.append((
                stream("desc", u, dispatch, unit, DESCRIPTOR, StreamKind.DESCRIPTOR),
                stream("act", u, dispatch, unit, widest, StreamKind.ACTIVATIONS),
                stream("tiles", u, unit, collect, StreamFormat(1), StreamKind.TILES),
            ))  # fmt: skip
        weights = tuple(
            stream("weights", c, process(READ_WEIGHTS, c), process(UNIT, unit), StreamFormat(1),
                   StreamKind.WEIGHTS)
            for c, unit in enumerate(engine.owners)
        )  # fmt: skip
        units = tuple(
            UnitStreams(desc=d, act=a, tiles=t, weights=weights[engine.first_channel(u) :][: engine.lanes[u]])
            for u, (d, a, t) in enumerate(ends)
        )
        return EngineFrame(net=net, number=number, schedule=schedule, blocks=blocks, desc=desc,
                           collected=collected, units=units)  # fmt: skip

    @property
    def engine(self) -> Engine:
        """Its sizes."""
        return self.net.engines[self.number]

    def reader(self, channel: int) -> OfEngine:
        """The reader of a weight channel."""
        return self._key(READ_WEIGHTS, channel)

    @property
    def matmuls(self) -> tuple[MatmulOp, ...]:
        """Its linear ops."""
        return tuple(op for op in self.schedule if isinstance(op, MatmulOp))

    @property
    def attentions(self) -> tuple[KvMatmul, ...]:
        """What it multiplies by the KV cache."""
        return tuple(op for op in self.schedule if isinstance(op, KvMatmul))

    def channel_words(self, channel: int, *, head: bool) -> int:
        """Weight words of one launch in `channel`, of the head's block or of all others."""
        return sum(
            op.tiles_in(channel, self.engine.channels) * op.tile_words * self.blocks[op.block].count
            for op in self.matmuls
            if self.blocks[op.block].head == head
        )

    def add_router(self, kernel: str) -> None:
        """The processes in front of the units and behind them."""
        sources, results = self._sources(), self._results()
        to_units = tuple(s for unit in self.units for s in (unit.desc, unit.act))
        reads = (self.desc, *(sources[i] for i in sorted(sources)))
        dispatch = Dispatch(engine=self.number)
        self.net.add(self._key(DISPATCH), dispatch, LAUNCH, reads, (self.collected, *to_units), kernel)
        tiles = tuple(unit.tiles for unit in self.units)
        writes = tuple(results[i] for i in sorted(results))
        collect = Collect(engine=self.number, max_tiles=self._reorder_tiles())
        self.net.add(self._key(COLLECT), collect, LAUNCH, (self.collected, *tiles), writes, kernel)

    def add_unit(self, number: int, kernel: str) -> None:
        """Compute unit `number`, which is one of `kernel`."""
        unit = self.units[number]
        reads = (unit.desc, unit.act, *unit.weights)
        op = ComputeUnit(engine=self.number, unit=number)
        self.net.add(self._key(UNIT, number), op, LAUNCH, reads, (unit.tiles,), kernel)

    def _key(self, part: str, number: int | None = None) -> OfEngine:
        return OfEngine(engine=self.number, part=part, number=number)

    def _sources(self) -> dict[int, str]:
        """The streams of the vectors by their numbers."""
        found = {op.source: self._source_stream(op) for op in self.matmuls}
        for op in self.attentions:
            streams = self.net.attentions[op.block, op.name]
            found |= {op.queries: streams.queries, op.weights: streams.weights}
        return found

    def _results(self) -> dict[int, str]:
        """The streams of the results by their numbers."""
        found = {op.destination: self.net.values[op.block, op.name] for op in self.matmuls}
        for op in self.attentions:
            streams = self.net.attentions[op.block, op.name]
            found |= {op.products: streams.products, op.sums: streams.sums}
        return found

    def _reorder_tiles(self) -> int:
        """Tiles of the widest op that runs for several tokens, if any does: the reorder buffer's rows.

        Half a row holds those of a part of values.
        """
        several = [op.tiles for op in self.matmuls if not self.blocks[op.block].head]
        positions = -(-self.net.graph.context // BLOCK) * BLOCK
        cached = [max(positions // LANES, 2 * op.heads.value_tiles) for op in self.attentions]
        return max((*several, *cached), default=1)

    def _source_stream(self, op: MatmulOp) -> str:
        linear = self.net.graph.blocks[op.block].op(op.name)
        assert isinstance(linear, Linear)
        return self.net.arrivals[ToEngine(block=op.block, value=linear.x)]
