"""Whether a placed design fits its card: every limit of the platform, and by how much it is passed."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from stbuild.ir.design import WORD_BYTES, Design
from stbuild.platform import Fabric, Platform
from stbuild.resources.usage import NOTHING, Row, memory_ports, unit_costs
from stbuild.resources.wires import crossings

RESOURCES = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram36": "BRAM", "uram": "URAM"}
"""The fields of `Fabric` in the order of reports, with the vendor's names."""
URAM_BYTES, BRAM36_BYTES = 36 * 1024, 4608
"""On-chip memory blocks: 288 and 36 Kibit."""
assert set(RESOURCES) == {field.name for field in fields(Fabric)}


@dataclass(frozen=True, kw_only=True)
class Use:
    """How much of a resource is used at a place, and how much may be."""

    place: str
    resource: str
    used: float
    limit: float

    @property
    def fits(self) -> bool:
        """Whether the limit is kept."""
        return self.used <= self.limit

    @property
    def share(self) -> float:
        """How much of the limit is used."""
        return self.used / max(self.limit, 1)

    def __str__(self) -> str:
        return f"{self.resource} of {self.place}: {self.used:,.0f} of {self.limit:,.0f}"


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Sizes of an engine and of a launch, as BUILD.yaml names them."""

    channels: int
    lanes: int
    token_lanes: int
    chunk: int
    batch: int

    def __str__(self) -> str:
        return (
            f"channels: {self.channels}, lanes: {self.lanes}, token_lanes: {self.token_lanes}, "
            f"chunk: {self.chunk}, batch: {self.batch}"
        )


@dataclass(frozen=True, kw_only=True)
class Fit:
    """The judgement of a design: what is used where; `nearest` are sizes that would fit, if any do."""

    uses: tuple[Use, ...]
    nearest: Sizes | None = None

    @property
    def passed(self) -> tuple[Use, ...]:
        """The limits that are passed, the furthest first."""
        over = [use for use in self.uses if not use.fits]
        return tuple(sorted(over, key=lambda use: -use.share))

    @property
    def fits(self) -> bool:
        """Whether all limits are kept."""
        return not self.passed

    @property
    def sentence(self) -> str:
        """The judgement in one line: what is passed, by how much, and what would fit."""
        if self.fits:
            fullest = max(self.uses, key=lambda use: use.share)
            return f"fits the card; the fullest is {fullest} (modelled)"
        worst = "; ".join(map(str, self.passed[:3]))
        more = f" and {len(self.passed) - 3} more" if len(self.passed) > 3 else ""
        return f"would not fit the card: {worst}{more} (modelled)"

    @property
    def hint(self) -> str:
        """What would fit."""
        if self.nearest is not None:
            return f"these sizes would fit: {self.nearest}"
        return "no choice of channels, lanes, token_lanes, chunk and batch was found that fits"


def fit_of(design: Design, platform: Platform, rows: tuple[Row, ...]) -> Fit:
    """The judgement of a design whose units have their SLRs; without SLRs the card is one place."""
    return Fit(
        uses=(
            *_fabric(design, platform, rows),
            *_wires(design, platform),
            *_fifos(design, platform),
            Use(
                place=platform.name,
                resource="memory ports",
                used=len(memory_ports(design)),
                limit=platform.axi.limit,
            ),
        )
    )


def slr_usage(design: Design, platform: Platform, rows: tuple[Row, ...]) -> tuple[Fabric, ...]:
    """What kernels and the shell's memory subsystem take of each SLR."""
    usage = list(shell_usage(design, platform))
    seats = {u: s or 0 for k in design.kernels for u, s in zip(k.units, k.slrs, strict=True)}
    for unit, cost in unit_costs(rows).items():
        usage[seats[unit]] = usage[seats[unit]] + cost
    return tuple(usage)


def shell_usage(design: Design, platform: Platform) -> tuple[Fabric, ...]:
    """What the memory subsystem takes of each SLR: `bank_cost` for each bank in use."""
    usage = [NOTHING] * len(platform.slrs)
    banks = {bank for r in design.regions for bank in range(r.first, r.last + 1)}
    for bank in banks:
        slr = platform.memory.slr_of(bank)
        usage[slr] = usage[slr] + platform.memory.bank_cost
    return tuple(usage)


def fifo_bytes(design: Design) -> int:
    """What all FIFOs hold."""
    return sum(stream.depth for stream in design.streams) * WORD_BYTES


def on_chip_bytes(platform: Platform) -> int:
    """What all BRAM and URAM that the shell leaves hold."""
    return int(platform.available.uram * URAM_BYTES + platform.available.bram36 * BRAM36_BYTES)


def limit_of(platform: Platform, slr: int, resource: str) -> int:
    """What a plan may use of a field of `Fabric` on an SLR."""
    available: float = getattr(platform.slrs[slr].available, resource)
    return int(available * platform.limits.share_of(resource))


def place_name(platform: Platform, slr: int) -> str:
    """`SLR1`, or the card's name where there is but one."""
    return f"SLR{slr}" if platform.has_slrs else platform.name


def _fabric(design: Design, platform: Platform, rows: tuple[Row, ...]) -> Iterator[Use]:
    for slr, usage in enumerate(slr_usage(design, platform, rows)):
        for field, name in RESOURCES.items():
            limit = limit_of(platform, slr, field)
            yield Use(place=place_name(platform, slr), resource=name, used=getattr(usage, field), limit=limit)


def _wires(design: Design, platform: Platform) -> Iterator[Use]:
    if platform.sll is None:
        return
    counts = crossings(design, platform.memory.slr_of(0), len(platform.slrs))
    for boundary, wires in enumerate(counts):
        place = f"SLR{boundary}-{boundary + 1}"
        yield Use(place=place, resource="wires", used=wires, limit=platform.sll.planning)


def _fifos(design: Design, platform: Platform) -> Iterator[Use]:
    """FIFOs that hold more than all memory, of which nobody has proved that they do not hang."""
    use = Use(
        place=platform.name, resource="KiB of FIFOs",
        used=fifo_bytes(design) / 2**10, limit=on_chip_bytes(platform) / 2**10,
    )  # fmt: skip
    if not use.fits:
        yield use
