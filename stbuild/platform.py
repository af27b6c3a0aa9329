"""A card as data: what a design may use of it, every figure with its source."""

from dataclasses import dataclass, fields
from enum import Enum
from functools import cached_property
from pathlib import PurePosixPath

PLATFORMS_DIR = PurePosixPath("/opt/xilinx/platforms")
GIGA = 1e9


class Confidence(Enum):
    """How far a figure can be trusted."""

    VENDOR = "vendor document or tool output"
    DERIVED = "transcribed by others, or calculated from vendor figures"
    UNVERIFIED = "general knowledge, not found in public material"


class MemoryType(Enum):
    """What stands behind a memory tag."""

    HBM = "HBM"
    DDR = "DDR"
    NOC = "NoC"


class DspKind(Enum):
    """The multiplier block of the fabric."""

    DSP48E2 = "DSP48E2"
    DSP58 = "DSP58"


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the figures named by `of` (fields of the value that carries this source) come from."""

    of: tuple[str, ...]
    text: str
    confidence: Confidence = Confidence.VENDOR


@dataclass(frozen=True, kw_only=True)
class Sourced:
    """A group of figures. Each figure is named by exactly one source, else the group cannot be made."""

    sources: tuple[Source, ...]

    def __post_init__(self) -> None:
        named = [name for source in self.sources for name in source.of]
        known = {field.name for field in fields(self)} - {"sources"}
        for name in named:
            if name not in known or named.count(name) > 1:
                raise ValueError(
                    f"{type(self).__name__}: source of {name!r}, which is no figure or has two sources"
                )
        for name in sorted(known - set(named)):
            if _is_figure(getattr(self, name)):
                raise ValueError(f"{type(self).__name__}: {name} = {getattr(self, name)!r} has no source")

    def source_of(self, name: str) -> Source:
        """The source of the figure `name`."""
        return next(source for source in self.sources if name in source.of)


@dataclass(frozen=True, kw_only=True)
class Fabric:
    """Counts of fabric elements; BRAM in tiles of 36 Kbit, of which each half is a block of its own."""

    lut: int
    ff: int
    bram36: float = 0
    uram: int = 0
    dsp: int = 0

    def __add__(self, other: "Fabric") -> "Fabric":
        return Fabric(
            lut=self.lut + other.lut, ff=self.ff + other.ff, bram36=self.bram36 + other.bram36,
            uram=self.uram + other.uram, dsp=self.dsp + other.dsp,
        )  # fmt: skip

    def __mul__(self, count: int) -> "Fabric":
        return Fabric(**{f.name: getattr(self, f.name) * count for f in fields(self)})


@dataclass(frozen=True, kw_only=True)
class Slr(Sourced):
    """One die: all that is on it, and what the shell leaves to kernels (its dynamic region)."""

    index: int
    die: Fabric | None
    available: Fabric


@dataclass(frozen=True, kw_only=True)
class Memory(Sourced):
    """Equal banks of one kind of memory outside the fabric.

    `tag` names a bank in v++'s `sp=`; without `{bank}` in it all banks lie interleaved behind one tag.
    `slrs` holds the SLR of every bank, or one number for all. `bank_cost` is what the shell's memory
    subsystem takes from that SLR for each bank in use. Bandwidths are in 10^9 bytes a second;
    `read_latency_ns` is from a read's address to its first word, None where no figure was found.
    """

    type: MemoryType
    tag: str
    banks: int
    bytes_per_bank: int
    base_address: int
    peak_gbs_per_bank: float
    measured_gbs_per_bank: float | None
    read_latency_ns: float | None
    slrs: tuple[int, ...]
    port_bits: int
    port_mhz: int | None
    bank_cost: Fabric

    @property
    def total_bytes(self) -> int:
        """What all banks hold."""
        return self.banks * self.bytes_per_bank

    @property
    def gbs_per_bank(self) -> float:
        """The bandwidth to reckon with: measured if anybody measured it, else the peak."""
        return self.peak_gbs_per_bank if self.measured_gbs_per_bank is None else self.measured_gbs_per_bank

    @property
    def tags(self) -> tuple[str, ...]:
        """The names of the banks as `sp=` and the xclbin's MEM_TOPOLOGY spell them."""
        if "{bank}" not in self.tag:
            return (self.tag,)
        return tuple(self.tag.format(bank=bank) for bank in range(self.banks))

    def slr_of(self, bank: int) -> int:
        """The SLR that bank `bank` is attached to."""
        return self.slrs[bank] if len(self.slrs) > 1 else self.slrs[0]

    def bytes_per_cycle(self, clock_mhz: float) -> float:
        """What one bank delivers in one kernel clock, if a 512-bit port can take it."""
        return self.gbs_per_bank * GIGA / (clock_mhz * 1e6)


@dataclass(frozen=True, kw_only=True)
class AxiPorts(Sourced):
    """AXI masters of kernels: how many the shell takes, how many still route at speed, what each costs."""

    limit: int
    practical: int
    adapter_cost: Fabric
    """The m_axi adapter that HLS adds to a kernel for one 512-bit port."""


@dataclass(frozen=True, kw_only=True)
class Clocks(Sourced):
    """Clocks in MHz: the shell's own defaults, and what a generated design asks v++ for."""

    default_mhz: int
    second_mhz: int
    target_mhz: int
    scalable: bool


@dataclass(frozen=True, kw_only=True)
class Sll(Sourced):
    """Wires across each boundary of two SLRs: physical, and what a plan should stay below."""

    per_boundary: int
    planning: int


@dataclass(frozen=True, kw_only=True)
class Dsp(Sourced):
    """Multiply-accumulates that one DSP block does in a cycle when operands are packed."""

    type: DspKind
    int4_int8_macs: int
    int8_int8_macs: int


@dataclass(frozen=True, kw_only=True)
class Limits(Sourced):
    """How much of what the shell leaves on an SLR a plan may fill: a fuller one seldom routes at speed."""

    share: float
    """Of LUT, FF, BRAM and URAM."""
    dsp_share: float

    def share_of(self, resource: str) -> float:
        """The share of a field of `Fabric`."""
        return self.dsp_share if resource == "dsp" else self.share


USUAL_LIMITS = Limits(
    share=0.82,
    dsp_share=0.88,
    sources=(
        Source(
            of=("share", "dsp_share"),
            text="ours: above what public designs reach with HLS alone (62 to 80 %), as floorplanned ones do "
            "(Serpens, Sextans with RapidStream); no plan of ours has been placed by Vivado",
            confidence=Confidence.UNVERIFIED,
        ),
    ),
)
"""Those of a card that says nothing else."""


@dataclass(frozen=True, kw_only=True)
class AieArray(Sourced):
    """The AI Engine array beside the fabric; stream counts are of 64 bits, all columns together."""

    columns: int
    rows: int
    clock_mhz: int
    int8_macs_per_tile: int
    data_kib_per_tile: int
    streams_in: int
    streams_out: int


@dataclass(frozen=True, kw_only=True)
class Power(Sourced):
    """Watts: the card's limit, and idle if anybody measured it."""

    limit_watts: int
    idle_watts: float | None


@dataclass(frozen=True, kw_only=True)
class Platform(Sourced):
    """A card with its shell. `memories[0]` is the one that weights are streamed from."""

    name: str
    title: str
    part: str
    board_part: str
    vitis_platform: str
    shell: str
    platform_uuid: str | None
    vitis_versions: tuple[str, ...]
    slrs: tuple[Slr, ...]
    memories: tuple[Memory, ...]
    axi: AxiPorts
    clocks: Clocks
    sll: Sll | None
    dsp: Dsp
    aie: AieArray | None
    power: Power
    limits: Limits = USUAL_LIMITS

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.slrs or not self.memories:
            raise ValueError(f"platform {self.name} needs an SLR and a memory")
        if (self.sll is None) != (len(self.slrs) == 1):
            raise ValueError(f"platform {self.name}: SLLs go with two or more SLRs")

    @property
    def memory(self) -> Memory:
        """The memory that weights are streamed from."""
        return self.memories[0]

    @cached_property
    def available(self) -> Fabric:
        """What the shell leaves to kernels on all SLRs."""
        total = self.slrs[0].available
        for slr in self.slrs[1:]:
            total = total + slr.available
        return total

    @property
    def has_slrs(self) -> bool:
        """Whether v++ takes `slr=` lines: only a card of several dies has SLRs to name."""
        return len(self.slrs) > 1


def _is_figure(value: object) -> bool:
    if isinstance(value, tuple):
        return any(_is_figure(item) for item in value)
    return isinstance(value, int | float | Fabric) and not isinstance(value, bool)
