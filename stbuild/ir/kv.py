"""Where the keys and values of attention lie on a card (docs/machine.md, KV cache).

Positions gather in blocks of 32. A full block lies in memory as tiles, spread over the weight channels of an
engine, whose lanes multiply them like weights. The recent positions, those behind the last full block and the
launch's own, come as records.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from stbuild.ir.program import Launch
from stbuild.ir.types import GROUP, LANES

BLOCK = 32
"""Positions of a block."""
LOOK_AHEAD = 8
"""Heads by whose scores an engine is ahead of the values: their softmax runs meanwhile."""
MAX_HEAD_DIM = 512
"""Elements of a head: a product of q and k stays within 24 bits."""
SLICES = 3
"""Bytes of a softmax weight, each a vector of its own to the lanes: a weight is below 2^24."""
BANKS = 4
"""Recent positions that meet a query, or their weights, in a cycle."""
BYTES = 64
"""int8 elements in a word of a record."""
PLANE_WORDS = 4
"""Words of 16 rows and 32 columns, of one nibble each."""
GROUP_WORDS = 2 * PLANE_WORDS
"""Words of 16 rows and 32 columns of 8 bits."""
SCALE_BYTES = 4
"""Of a position and head: mantissa and exponent of its key, then of its value."""


class KvPart(Enum):
    """The two operands of attention that lie in the cache."""

    KEYS = "keys"
    VALUES = "values"


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """`count` blocks from block `first` on."""

    first: int
    count: int


@dataclass(frozen=True, kw_only=True)
class KvHeads:
    """The heads of an attention op: `heads` queries share `kv_heads` keys and values of `head_dim` elements.

    Each query sees the last `windows[run]` positions, its own among them; () is all.
    """

    heads: int
    kv_heads: int
    head_dim: int
    windows: tuple[int, ...] = ()

    @property
    def shared(self) -> int:
        """Heads of queries for each of keys and values."""
        return self.heads // self.kv_heads

    @property
    def groups(self) -> int:
        """Groups of 32 elements of a head; the last may be half full."""
        return -(-self.head_dim // GROUP)

    @property
    def key_words(self) -> int:
        """Words of 16 positions' keys."""
        return GROUP_WORDS * self.groups

    @property
    def value_tiles(self) -> int:
        """Tiles of 16 elements of a head's values."""
        return self.head_dim // LANES

    @property
    def record_words(self) -> int:
        """Words of a head in a record."""
        return -(-self.head_dim // BYTES)

    @property
    def position_words(self) -> int:
        """Words of a position's record: keys, the scales of keys and values, values."""
        return 2 * self.kv_heads * self.record_words - (-self.kv_heads * SCALE_BYTES // BYTES)

    @property
    def block_words(self) -> int:
        """Words of a head's block: two tiles of keys, its values, two words of scales."""
        return 2 * self.key_words + GROUP_WORDS * self.value_tiles + BLOCK // LANES

    def blocks(self, run: int, position: int) -> Blocks:
        """The full blocks that a launch from `position` sees in a run."""
        window = self.windows[run] if self.windows else position + 1
        first = max(0, position + 1 - window) // BLOCK
        return Blocks(first=first, count=max(0, position // BLOCK - first))

    def rows(self, part: KvPart) -> int:
        """Vectors of a token that meet the keys, or the values, of one head."""
        return self.shared * (1 if part is KvPart.KEYS else SLICES)

    def order(self) -> Iterator[tuple[KvPart, int]]:
        """The heads' keys and values in the order of the schedule."""
        ahead = min(LOOK_AHEAD, self.kv_heads)
        yield from ((KvPart.KEYS, head) for head in range(ahead))
        for head in range(self.kv_heads):
            if head + ahead < self.kv_heads:
                yield KvPart.KEYS, head + ahead
            yield KvPart.VALUES, head


@dataclass(frozen=True, kw_only=True)
class KvLayout:
    """How the blocks of an attention op, of `runs` runs and `context` positions, lie in `channels` channels.

    Each channel's part holds for every run and head its tiles of keys, [rounds][key_words], then for every
    run its tiles of values, [rounds][blocks][8]. Tile t of a head lies in the channel that is t behind that
    of the head's first; the tiles of values of all heads go round the channels one behind the other.
    """

    heads: KvHeads
    runs: int
    context: int
    channels: int

    @property
    def blocks(self) -> int:
        """Blocks of the context."""
        return -(-self.context // BLOCK)

    @property
    def key_rounds(self) -> int:
        """Tiles of a head's keys in a channel, at most."""
        return -(-2 * self.blocks // self.channels)

    @property
    def value_rounds(self) -> int:
        """Tiles of all heads' values in a channel, at most."""
        return -(-self.heads.kv_heads * self.heads.value_tiles // self.channels)

    @property
    def words(self) -> int:
        """Words of a channel's part."""
        keys = self.heads.kv_heads * self.key_rounds * self.heads.key_words
        return self.runs * (keys + self.value_rounds * self.blocks * GROUP_WORDS)

    @property
    def scale_words(self) -> int:
        """Words of the scales, of 16 positions each: [run][head][2 blocks]."""
        return self.runs * self.heads.kv_heads * 2 * self.blocks

    @property
    def shared_words(self) -> int:
        """Words of what lies beside the channels: records, [run][position], and the scales behind them."""
        return self.runs * self.context * self.heads.position_words + self.scale_words

    def base(self, part: KvPart, head: int) -> int:
        """The channel of a head's first tile."""
        if part is KvPart.KEYS:
            return head * self.channels // self.heads.kv_heads % self.channels
        return head * self.heads.value_tiles % self.channels


def recent_before(launch: Launch) -> int:
    """The recent positions before a launch."""
    return launch.position % BLOCK


def recent_words(launch: Launch) -> int:
    """Words of one number for each recent position, the launch's own among them."""
    return -(-(recent_before(launch) + launch.tokens) // LANES)


def completed_blocks(launch: Launch) -> int:
    """The blocks whose last position a launch brings."""
    return (launch.position + launch.tokens) // BLOCK - launch.position // BLOCK
