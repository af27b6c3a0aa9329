"""A matmul engine: which linear ops it takes, and with how many compute units, lanes and tokens."""

from dataclasses import dataclass
from enum import Enum

from stbuild.ir.storage import Storage

DEEP, SHALLOW = 4096, 512
"""Words in front of a lane: what URAM holds at least, and BRAM in eight tiles."""


class EngineRole(Enum):
    """Which linear ops an engine takes."""

    ALL = "all"
    BODY = "body"
    """Those of all blocks but the head."""
    HEAD = "head"
    """Those of the block that makes the logits, which sees one token of a launch."""

    def takes(self, *, head: bool) -> bool:
        """Whether it takes the linear ops of a block, the head or another."""
        return self is EngineRole.ALL or self is (EngineRole.HEAD if head else EngineRole.BODY)


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A matmul engine: for each of its compute units the `lanes`, with a weight channel each.

    It takes up to `chunk` tokens at once, of which `token_lanes` share a cycle. A FIFO in front of each lane
    holds `prefetch` words of weights. Of the token lanes of a unit `fabric` multiply in LUTs, none if it is
    empty.
    """

    role: EngineRole = EngineRole.ALL
    lanes: tuple[int, ...]
    token_lanes: int
    chunk: int
    prefetch: int = DEEP
    fabric: tuple[int, ...] = ()

    @property
    def channels(self) -> int:
        """The number of weight channels."""
        return sum(self.lanes)

    @property
    def tokens_a_pass(self) -> float:
        """Tokens of a full chunk that share a word of weights: fewer than `token_lanes` if some idle."""
        return self.chunk / -(-self.chunk // self.token_lanes)

    @property
    def prefetch_storage(self) -> Storage:
        """Where the words in front of a lane lie."""
        return Storage.URAM if self.prefetch >= DEEP else Storage.BRAM

    @property
    def owners(self) -> tuple[int, ...]:
        """The unit of each channel."""
        return tuple(unit for unit, lanes in enumerate(self.lanes) for _ in range(lanes))

    def fabric_lanes(self, unit: int) -> tuple[int, ...]:
        """For each lane of a unit the token lanes that multiply in LUTs: as even as can be."""
        each, rest = divmod(self.fabric[unit] if self.fabric else 0, self.lanes[unit])
        return tuple(each + (lane < rest) for lane in range(self.lanes[unit]))

    def first_channel(self, unit: int) -> int:
        """The channel of the first lane of a unit."""
        return sum(self.lanes[:unit])
