"""The sizes of a network of attention, and of its regions in memory."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What the network is generated for."""

    heads: int
    kv_heads: int
    head_dim: int
    runs: int = 1
    chunk: int = 8
    context: int = 150
    channels: int = 3
    lanes: int = 0
    """Lanes of a compute unit of the real engine; 0: the model of it."""
    engine_chunk: int = 8
    token_lanes: int = 3
    scale: float = 0.25
    cap: float = 0.0
    slopes: tuple[float, ...] = ()
    windows: tuple[int, ...] = ()
    sinks: bool = False
    depth: int = 1 << 14
    label: str = ""

    @property
    def name(self) -> str:
        """The id of a test."""
        return f"{self.heads}_{self.kv_heads}_{self.head_dim}{self.label}"

    @property
    def shared(self) -> int:
        """Heads of q that share one of k and v."""
        return self.heads // self.kv_heads

    @property
    def blocks(self) -> int:
        """Blocks of the context."""
        return -(-self.context // 32)

    @property
    def value_words(self) -> int:
        """Words of a V record."""
        return self.kv_heads * -(-self.head_dim // 64)

    @property
    def key_words(self) -> int:
        """Words of a K record."""
        return self.value_words + -(-self.kv_heads // 16)

    @property
    def sink_words(self) -> int:
        """Words of a run's sinks."""
        return -(-self.heads // 16)

    @property
    def channel_words(self) -> int:
        """Words of a channel's region."""
        keys = -(-2 * self.blocks // self.channels) * (-(-self.head_dim // 32)) * 8
        values = -(-(self.head_dim // 16) // self.channels) * self.blocks * 8
        return self.runs * self.kv_heads * (keys + values)

    @property
    def record_words(self) -> int:
        """Words of all records."""
        return self.runs * self.context * (self.key_words + self.value_words)

    @property
    def scale_words(self) -> int:
        """Words of the scales behind them."""
        return self.runs * self.kv_heads * 2 * self.blocks
