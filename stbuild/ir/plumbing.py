"""The processes around the streaming kernels: those of `control`, and those of the matmul engines."""

from dataclasses import dataclass

from stbuild.ir.param import FixedParam, PositionTable


@dataclass(frozen=True, kw_only=True)
class ReadWeights:
    """The weight tiles of one channel of an engine, from `region`: all blocks but the head, then the head.

    Between them, where the engine's schedule has attention, come tiles of the cache from `kv`, which holds
    those of all attention ops of the engine, in the order of the schedule.
    """

    engine: int = 0
    channel: int
    region: str
    kv: str = ""
    body_words: int
    head_words: int


@dataclass(frozen=True, kw_only=True)
class ParamRead:
    """`words` words with the values of `params`, in every run of `block`."""

    params: tuple[FixedParam, ...]
    block: int
    words: int


@dataclass(frozen=True, kw_only=True)
class ReadParams:
    """Parameters from `region` in the order of their use (block, run, read); read `i` goes to the stream that
    `streams` says, to stream `i` if it is empty."""

    region: str
    reads: tuple[ParamRead, ...]
    streams: tuple[int, ...] = ()

    def pairs(self, writes: tuple[str, ...]) -> tuple[tuple[ParamRead, str], ...]:
        """The reads, each with its stream."""
        numbers = self.streams or range(len(self.reads))
        return tuple((read, writes[number]) for read, number in zip(self.reads, numbers, strict=True))


@dataclass(frozen=True, kw_only=True)
class RowRead:
    """A row of `words` words per token from `region`, by token id or by position.

    The rows of `block` are sent in each of its runs, before the run's descriptors; position tables, which
    stay on chip, once before the other rows of block 0, those of all tokens in one read. The region holds
    `tables`, of `rows` rows each, from row `first` of the model's tables on.
    """

    region: str
    block: int
    words: int
    rows: int
    first: int = 0
    by_token: bool
    values: FixedParam | PositionTable

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables by name: one for each run, or one if all runs read the same."""
        if isinstance(self.values, PositionTable):
            return (self.values.name,)
        names = self.values.param.names
        return names[:1] if len(set(names)) == 1 else names

    @property
    def in_one(self) -> bool:
        """Whether the rows of all tokens, which follow each other, are one read."""
        return isinstance(self.values, PositionTable)


@dataclass(frozen=True, kw_only=True)
class Sequence:
    """Commands to the kernels; then, for every run of a block, its rows and its descriptors in `programs`.

    `programs` has a region for each engine, whose descriptors go to the stream of the same number among those
    that carry any. Row read `i` goes to the `i`-th of its streams that carry rows; token ids lie in `tokens`.
    """

    programs: tuple[str, ...]
    tokens: str
    rows: tuple[RowRead, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReadKv:
    """What a launch reads of the cache beside tiles, from `region`, block after block, run after run.

    Op after op of `Design.attentions`, the recent records, then head after head the scales of the full
    blocks: two streams for each op.
    """

    region: str


@dataclass(frozen=True, kw_only=True)
class WriteKv:
    """What a launch writes of the cache, in the same order, from one stream for each op.

    New records go to `region`; of the blocks that the launch completes, the scales go there too, the tiles to
    the channels of the op's engine.
    """

    region: str


@dataclass(frozen=True, kw_only=True)
class WriteWords:
    """`words` words to `region` when the head runs: the logits, or the token that they choose."""

    region: str
    words: int
    token: bool = False


@dataclass(frozen=True, kw_only=True)
class Dispatch:
    """Quantised vectors from the segments to the compute units of an engine.

    Reads the descriptors and then the vectors, by the sources of the schedule; writes the descriptors for
    `Collect`, then descriptors and vectors for each unit in turn.
    """

    engine: int = 0


@dataclass(frozen=True, kw_only=True)
class Collect:
    """Result tiles from the compute units to the segments, token-major; rows of at most `max_tiles`.

    Parts of values lie in halves of a row, which take turns.

    Reads the descriptors and then the tiles of each unit; writes the results, by the destinations of the
    schedule.
    """

    engine: int = 0
    max_tiles: int


@dataclass(frozen=True, kw_only=True)
class ComputeUnit:
    """Unit `unit` of an engine: reads descriptors, vectors and one stream of weights a lane; writes tiles."""

    engine: int = 0
    unit: int


Plumbing = (
    Sequence | ReadWeights | ReadParams | ReadKv | WriteKv | WriteWords | Dispatch | Collect | ComputeUnit
)  # fmt: skip
