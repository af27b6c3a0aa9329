"""The design: a graph bound to engines, streams, memory and places; what code generation reads."""

from dataclasses import dataclass

from stbuild.ir.graph import AnyOp, Param
from stbuild.ir.types import Itensor, words_of

WORD_BYTES = 64
"""A stream word and a memory word: 512 bits."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The numbers that `partition` chooses for a platform.

    `channels` weight channels in compute units of `lanes` each; `chunk` tokens at most in a launch,
    of which `token_lanes` share a cycle; `context` positions in the KV cache.
    """

    channels: int
    lanes: int
    chunk: int
    token_lanes: int
    context: int
    clock_mhz: int

    def __post_init__(self) -> None:
        if self.channels % self.lanes:
            raise ValueError(f"{self.channels} channels do not fill compute units of {self.lanes} lanes")

    @property
    def units(self) -> int:
        """The number of matmul compute units."""
        return self.channels // self.lanes


@dataclass(frozen=True, kw_only=True)
class Fork:
    """One stream to several readers, or to none; `once` for a stream that is sent once per launch."""

    words: int
    once: bool = False


@dataclass(frozen=True, kw_only=True)
class LoopHead:
    """Takes the block's first input from the block before, later ones from its own tail."""

    words: int


@dataclass(frozen=True, kw_only=True)
class LoopTail:
    """Sends the block's output back to its head, the last one to the block behind."""

    words: int


@dataclass(frozen=True, kw_only=True)
class TakeLast:
    """Lets only the last token of a launch pass, and only if the head runs."""

    words: int


@dataclass(frozen=True, kw_only=True)
class Argmax:
    """Logits to memory and their largest one's index as the token."""

    words: int


@dataclass(frozen=True, kw_only=True)
class FanOut:
    """Commands to the processes of a kernel."""


@dataclass(frozen=True, kw_only=True)
class ReadWeights:
    """The weight tiles of one channel: those of all blocks but the head, then the head's."""

    channel: int
    body_words: int
    head_words: int


@dataclass(frozen=True, kw_only=True)
class ParamRead:
    """`words` words of parameters for the op that reads `stream`, in every run of `block`."""

    stream: str
    op: str
    block: int
    words: int


@dataclass(frozen=True, kw_only=True)
class ReadParams:
    """Parameters in the order of their use: block, run, read."""

    reads: tuple[ParamRead, ...]


@dataclass(frozen=True, kw_only=True)
class RowRead:
    """A row of `words` words per token from `region` to `stream`, by token id or by position."""

    region: str
    stream: str
    words: int
    by_token: bool


@dataclass(frozen=True, kw_only=True)
class Sequence:
    """Commands to the kernels, then the rows of every token, then the launch's descriptors."""

    rows: tuple[RowRead, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReadKv:
    """The older records of `region`, run after run: those that the launch's first position sees.

    `windows` are the positions that a query sees in each run, its own among them; () is all.
    """

    region: str
    block: int
    record_words: int
    windows: tuple[int, ...] = ()

    def records(self, run: int, position: int) -> int:
        """How many records a launch from `position` reads in a run."""
        return min(position, self.windows[run] - 1) if self.windows else position


@dataclass(frozen=True, kw_only=True)
class WriteKv:
    """The new records of `region`, run after run."""

    region: str
    block: int
    record_words: int


@dataclass(frozen=True, kw_only=True)
class WriteWords:
    """`words` words to `region` when the head runs."""

    region: str
    words: int


@dataclass(frozen=True, kw_only=True)
class Dispatch:
    """Quantised vectors from the segments to the compute units."""


@dataclass(frozen=True, kw_only=True)
class Collect:
    """Result tiles from the compute units to the segments, token-major; rows of at most `max_tiles`."""

    max_tiles: int


Plumbing = (
    Fork | LoopHead | LoopTail | TakeLast | Argmax | FanOut | Sequence | ReadWeights | ReadParams
    | ReadKv | WriteKv | WriteWords | Dispatch | Collect
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Process:
    """One call in a kernel's dataflow region; streams in the order of the hls_lib signature."""

    name: str
    kernel: str
    op: AnyOp | Plumbing
    block: int
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A FIFO of `depth` words; `words` pass per token, of int32 with `frac` fraction bits.

    `source` and `sink` are process names.
    """

    name: str
    source: str
    sink: str
    words: int
    frac: int = 0
    depth: int = 0
    command: bool = False
    order: Itensor | None = None


@dataclass(frozen=True, kw_only=True)
class MatmulOp:
    """One linear op on the shared engine, in every run of its block."""

    name: str
    block: int
    weight: Param
    rows: int
    cols: int
    bits: int
    group: int
    source: int
    destination: int
    load: bool
    base: int
    frac_in: int
    frac_out: int

    @property
    def tiles(self) -> int:
        """Tiles of 16 rows; the last may have rows of zeros."""
        return words_of(self.rows)

    @property
    def tile_words(self) -> int:
        """Words of one tile: a header and the values for each group."""
        planes = self.bits // 4
        return self.cols // self.group * (1 + planes * self.group // 8)

    def tiles_in(self, channel: int, channels: int) -> int:
        """How many of its tiles lie in `channel`."""
        first = (channel - self.base) % channels
        return max(0, -(-(self.tiles - first) // channels))


@dataclass(frozen=True, kw_only=True)
class Region:
    """A memory region: its size, and the banks `first` to `last` that hold it."""

    name: str
    bytes: int
    port: str
    writable: bool = False
    first: int = 0
    last: int = 0


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """A kernel and its compute units, each with its SLR (None where the card has none)."""

    name: str
    units: tuple[str, ...]
    slrs: tuple[int | None, ...]


@dataclass(frozen=True, kw_only=True)
class BlockRuns:
    """What the processes of a block need to know of it."""

    name: str
    count: int
    head: bool


@dataclass(frozen=True, kw_only=True)
class Design:
    """Everything that is generated, placed and measured for one model on one platform."""

    name: str
    platform: str
    sizes: Sizes
    vocab_size: int
    blocks: tuple[BlockRuns, ...]
    processes: tuple[Process, ...]
    streams: tuple[Stream, ...]
    matmuls: tuple[MatmulOp, ...]
    regions: tuple[Region, ...] = ()
    kernels: tuple[Kernel, ...] = ()

    @property
    def program_words(self) -> int:
        """Descriptor words of one launch: one per linear op and run, and the end."""
        return sum(self.blocks[op.block].count for op in self.matmuls) + 1

    def stream(self, name: str) -> Stream:
        """The stream called `name`."""
        return next(s for s in self.streams if s.name == name)

    def process(self, name: str) -> Process:
        """The process called `name`."""
        return next(p for p in self.processes if p.name == name)

    def region(self, name: str) -> Region:
        """The region called `name`."""
        return next(r for r in self.regions if r.name == name)
