"""One matmul engine in a network: its router, its compute units, and the streams between them."""

from dataclasses import dataclass

from stbuild.ir.design import BlockRuns, MatmulOp, StreamKind
from stbuild.ir.engine import Engine
from stbuild.ir.plumbing import Collect, ComputeUnit, Dispatch
from stbuild.ir.types import GROUP
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
    """Engine `number` of a network with its linear ops; `desc` brings its descriptors."""

    net: Net
    number: int
    matmuls: tuple[MatmulOp, ...]
    blocks: tuple[BlockRuns, ...]
    desc: str
    collected: str
    units: tuple[UnitStreams, ...]

    @staticmethod
    def of(net: Net, number: int, matmuls: tuple[MatmulOp, ...], blocks: tuple[BlockRuns, ...]
           ) -> "EngineFrame":  # fmt: skip
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
        widest = StreamFormat(max(op.cols for op in matmuls) // GROUP)
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
        return EngineFrame(net=net, number=number, matmuls=matmuls, blocks=blocks, desc=desc,
                           collected=collected, units=units)  # fmt: skip

    @property
    def engine(self) -> Engine:
        """Its sizes."""
        return self.net.engines[self.number]

    def reader(self, channel: int) -> OfEngine:
        """The reader of a weight channel."""
        return self._key(READ_WEIGHTS, channel)

    def channel_words(self, channel: int, *, head: bool) -> int:
        """Weight words of one launch in `channel`, of the head's block or of all others."""
        return sum(
            op.tiles_in(channel, self.engine.channels) * op.tile_words * self.blocks[op.block].count
            for op in self.matmuls
            if self.blocks[op.block].head == head
        )

    def add_router(self, kernel: str) -> None:
        """The processes in front of the units and behind them."""
        sources = {op.source: self._source_stream(op) for op in self.matmuls}
        to_units = tuple(s for unit in self.units for s in (unit.desc, unit.act))
        reads = (self.desc, *(sources[i] for i in sorted(sources)))
        dispatch = Dispatch(engine=self.number)
        self.net.add(self._key(DISPATCH), dispatch, LAUNCH, reads, (self.collected, *to_units), kernel)
        results = tuple(self.net.values[op.block, op.name] for op in self.matmuls)
        tiles = tuple(unit.tiles for unit in self.units)
        collect = Collect(engine=self.number, max_tiles=self._reorder_tiles())
        self.net.add(self._key(COLLECT), collect, LAUNCH, (self.collected, *tiles), results, kernel)

    def add_unit(self, number: int, kernel: str) -> None:
        """Compute unit `number`, which is one of `kernel`."""
        unit = self.units[number]
        reads = (unit.desc, unit.act, *unit.weights)
        op = ComputeUnit(engine=self.number, unit=number)
        self.net.add(self._key(UNIT, number), op, LAUNCH, reads, (unit.tiles,), kernel)

    def _key(self, part: str, number: int | None = None) -> OfEngine:
        return OfEngine(engine=self.number, part=part, number=number)

    def _reorder_tiles(self) -> int:
        """Tiles of the widest op that runs for several tokens, if any does: the reorder buffer's rows."""
        return max((op.tiles for op in self.matmuls if not self.blocks[op.block].head), default=1)

    def _source_stream(self, op: MatmulOp) -> str:
        linear = self.net.graph.blocks[op.block].op(op.name)
        assert isinstance(linear, Linear)
        return self.net.arrivals[ToEngine(block=op.block, value=linear.x)]
