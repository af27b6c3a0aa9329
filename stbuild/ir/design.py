"""The design: a graph bound to engines, streams, memory and places; what code generation reads.

Names of kernels, processes, streams and regions are keys: unique within their kind, free in all else. What
something is stands in its role, kind or op, never in its name.
"""

from dataclasses import dataclass
from enum import Enum

from stbuild.ir.derived import Derived
from stbuild.ir.engine import Engine
from stbuild.ir.faults import design_faults
from stbuild.ir.kv import KvLayout
from stbuild.ir.plumbing import Collect, Dispatch, Plumbing, ReadWeights
from stbuild.ir.schedule import KvMatmul, MatmulOp
from stbuild.ir.storage import Storage
from stbuild.ir.streaming import Streaming
from stbuild.ir.types import GROUP

WORD_BYTES = 64
"""A stream word and a memory word: 512 bits."""
LANE_WORDS, LANE_ACTS = 32, 512
"""Depth of the FIFOs inside a matmul compute unit, which fit in shift registers."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """At most `chunk` tokens in a launch; `context` positions in the KV cache; the target clock."""

    chunk: int
    context: int
    clock_mhz: int


class KernelRole(Enum):
    """What a kernel does (docs/machine.md)."""

    CONTROL = "control"
    ROUTER = "router"
    MATMUL = "matmul"
    SEGMENT = "segment"


class StreamKind(Enum):
    """What a stream carries; all but commands are words of 512 bits."""

    COMMAND = "command"
    """The launch's command, once."""
    DESCRIPTOR = "descriptor"
    """One word for each op of an engine and run, and for each part of the heads of attention."""
    WEIGHTS = "weights"
    """Tiles of one weight channel, from memory."""
    PARAMS = "params"
    """Parameters of one op, from memory."""
    ROWS = "rows"
    """Embedding or position rows, from memory."""
    KV_READ = "kv_read"
    KV_WRITE = "kv_write"
    VECTOR = "vector"
    """A quantised vector from a segment to the router."""
    ACTIVATIONS = "activations"
    """Quantised vectors from the router to a compute unit."""
    TILES = "tiles"
    """Results of a compute unit."""
    HEADS = "heads"
    """One head after the other, between the processes of attention and to and from its engine."""
    RESULT = "result"
    """The result of one linear op, from the router to a segment."""
    LOOP = "loop"
    """From a loop's tail back to its head."""
    OUTPUT = "output"
    """Logits, or the token, to memory."""
    DATA = "data"
    """Any other value on its way from process to process."""


class RegionKind(Enum):
    """What lies in a memory region."""

    WEIGHTS = "weights"
    PROGRAM = "program"
    TOKENS = "tokens"
    ROWS = "rows"
    PARAMS = "params"
    KV = "kv"
    LOGITS = "logits"
    TOKEN = "token"


@dataclass(frozen=True, kw_only=True)
class Process:
    """One call in a kernel's dataflow region; streams in the order of the hls_lib signature.

    `kernel` is the name of its kernel, or "" until the segments are formed; `command` the name of the stream
    that brings it the launch's command, None for a process that needs none.
    """

    name: str
    kernel: str
    op: Streaming | Plumbing
    block: int
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    command: str | None = None

    @property
    def inputs(self) -> tuple[str, ...]:
        """All streams that it reads, the command's first."""
        return self.reads if self.command is None else (self.command, *self.reads)


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A FIFO of `depth` words; `words` pass per token, of int32 with `frac` fraction bits.

    Of a stream of heads, `words` are those that wait in it at once. All streams have one order: run by run,
    token by token, elements ascending.
    `source` and `sink` are the names of processes; `storage` is None where the linker makes the FIFO.
    """

    name: str
    kind: StreamKind
    source: str
    sink: str
    words: int
    frac: int = 0
    depth: int = 0
    storage: Storage | None = None


@dataclass(frozen=True, kw_only=True)
class Region:
    """A memory region: its size, the port of `control` to it, and its banks `first` to `last`.

    `write_port` is the port by which it is written, where that is another one.
    """

    name: str
    kind: RegionKind
    bytes: int
    port: str
    writable: bool = False
    first: int = 0
    last: int = 0
    write_port: str = ""


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """A kernel and its compute units, each with its SLR (None where the card has none)."""

    name: str
    role: KernelRole
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
    """Everything that is generated, placed, packed and measured for one model on one platform.

    `derived` are the tensors of parameters that no checkpoint holds.
    """

    name: str
    platform: str
    sizes: Sizes
    engines: tuple[Engine, ...]
    vocab_size: int
    blocks: tuple[BlockRuns, ...]
    processes: tuple[Process, ...]
    streams: tuple[Stream, ...]
    schedule: tuple[MatmulOp | KvMatmul, ...]
    regions: tuple[Region, ...] = ()
    kernels: tuple[Kernel, ...] = ()
    derived: tuple[Derived, ...] = ()

    def __post_init__(self) -> None:
        for fault in design_faults(self):
            raise ValueError(fault)

    @property
    def matmuls(self) -> tuple[MatmulOp, ...]:
        """The linear ops in the order of the schedule."""
        return tuple(op for op in self.schedule if isinstance(op, MatmulOp))

    def program_words(self, engine: int) -> int:
        """Descriptor words of one launch for `engine`, and the end."""
        runs = (
            block.count * self.block_descriptors(engine, number) for number, block in enumerate(self.blocks)
        )
        return sum(runs) + 1

    def block_descriptors(self, engine: int, block: int) -> int:
        """The words in the program of `engine` for one run of a block."""
        return sum(
            2 * op.heads.kv_heads if isinstance(op, KvMatmul) else len(self.first_tokens(op))
            for op in self.engine_ops(engine)
            if op.block == block
        )

    def first_tokens(self, op: MatmulOp) -> range:
        """The first token of each batch of a linear op; the head's block sees one."""
        engine = self.engines[op.engine]
        return range(0, 1 if self.blocks[op.block].head else self.sizes.chunk, engine.batch)

    @property
    def attentions(self) -> tuple[KvMatmul, ...]:
        """What meets the KV cache, block after block, of each block in the order of the schedule."""
        found = (op for op in self.schedule if isinstance(op, KvMatmul))
        return tuple(sorted(found, key=lambda op: op.block))

    def layout(self, op: KvMatmul) -> KvLayout:
        """How the cache of an attention op lies in the channels of its engine."""
        return KvLayout(
            heads=op.heads,
            runs=self.blocks[op.block].count,
            context=self.sizes.context,
            channels=self.engines[op.engine].channels,
        )

    def shared_start(self, op: KvMatmul) -> int:
        """The first word of the records of an attention op in the region that all of them share."""
        before = self.attentions[: self.attentions.index(op)]
        return sum(self.layout(other).shared_words for other in before)

    def tiles_start(self, op: KvMatmul) -> int:
        """The first word of the tiles of an attention op in a channel of its engine."""
        before = self.attentions[: self.attentions.index(op)]
        return sum(self.layout(other).words for other in before if other.engine == op.engine)

    def stream(self, name: str) -> Stream:
        """The stream called `name`."""
        return next(s for s in self.streams if s.name == name)

    def process(self, name: str) -> Process:
        """The process called `name`."""
        return next(p for p in self.processes if p.name == name)

    def region(self, name: str) -> Region:
        """The region called `name`."""
        return next(r for r in self.regions if r.name == name)

    def kernel(self, name: str) -> Kernel:
        """The kernel called `name`."""
        return next(k for k in self.kernels if k.name == name)

    def members(self, kernel: str) -> tuple[Process, ...]:
        """The processes of `kernel`, in the order of the design."""
        return tuple(p for p in self.processes if p.kernel == kernel)

    def unit_of(self, process: Process) -> str:
        """The compute unit that `process` runs in."""
        units = self.kernel(process.kernel).units
        return units[self.members(process.kernel).index(process)] if len(units) > 1 else units[0]

    def engine_ops(self, engine: int) -> tuple[MatmulOp | KvMatmul, ...]:
        """The ops of `engine` in the order of its schedule."""
        return tuple(op for op in self.schedule if op.engine == engine)

    def columns(self, engine: int) -> int:
        """Columns of the widest operand of `engine`: a matrix, a head, or the positions of the context."""
        return max((self._columns(op) for op in self.engine_ops(engine)), default=0)

    def _columns(self, op: MatmulOp | KvMatmul) -> int:
        if isinstance(op, MatmulOp):
            return op.cols
        return GROUP * max(op.heads.groups, self.layout(op).blocks)

    def router(self, engine: int) -> tuple[Process, Process]:
        """The processes in front of `engine` and behind it: `Dispatch` and `Collect`."""
        found = [p for p in self.processes if isinstance(p.op, Dispatch | Collect) and p.op.engine == engine]
        dispatch, collect = sorted(found, key=lambda p: isinstance(p.op, Collect))
        return dispatch, collect

    def channels(self, engine: int) -> tuple[ReadWeights, ...]:
        """The readers of the weight channels of `engine`, by channel."""
        found = [p.op for p in self.processes if isinstance(p.op, ReadWeights) and p.op.engine == engine]
        return tuple(sorted(found, key=lambda op: op.channel))
