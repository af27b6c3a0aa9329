"""Reads Vivado's reports of utilisation: by kernel, by SLR, and of the whole device."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stbuild.errors import StbuildError
from stbuild.toolchain.vitis.box_table import BoxTable, box_tables
from stbuild.toolchain.vitis.numbers import number

KINDS = ("lut", "lutram", "ff", "bram36", "uram", "dsp")
_SITES = {
    **dict.fromkeys(("CLB LUTs", "CLB LUTs*", "Slice LUTs", "Slice LUTs*", "LUT", "LUTs"), "lut"),
    **dict.fromkeys(("LUT as Memory", "LUTAsMem"), "lutram"),
    **dict.fromkeys(("CLB Registers", "Slice Registers", "Registers", "REG"), "ff"),
    **dict.fromkeys(("Block RAM Tile", "BRAM"), "bram36"),
    "URAM": "uram",
    **dict.fromkeys(("DSPs", "DSP", "DSP Slices", "DSP58", "DSP48E2"), "dsp"),
}
"""What the rows or columns of one resource are called, by device and tool."""


@dataclass(frozen=True, kw_only=True)
class Use:
    """Used, and how many there are, of one resource; `available` is None where the report does not say."""

    kind: str
    used: float
    available: float | None
    percent: float | None

    @property
    def over(self) -> bool:
        """Whether more is used than there is."""
        return (self.percent or 0) > 100 or (self.available is not None and self.used > self.available)


@dataclass(frozen=True, kw_only=True)
class Place:
    """The resources used in one place: `SLR0`, a compute unit, `Platform`, `device`."""

    name: str
    uses: tuple[Use, ...]

    def use(self, kind: str) -> Use | None:
        """The use of one of `KINDS`."""
        return next((use for use in self.uses if use.kind == kind), None)


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """Wires over the boundary of two SLRs."""

    between: str
    used: int
    available: int | None


@dataclass(frozen=True, kw_only=True)
class Utilisation:
    """What a report says; parts that it does not have are empty."""

    slrs: tuple[Place, ...] = ()
    kernels: tuple[Place, ...] = ()
    device: tuple[Place, ...] = ()
    crossings: tuple[Crossing, ...] = ()

    @property
    def places(self) -> tuple[Place, ...]:
        """All places."""
        return (*self.device, *self.slrs, *self.kernels)


def read_utilisation(path: Path) -> Utilisation:
    """The report at `path`; a file without such tables is a StbuildError."""
    try:
        return parse_utilisation(path.read_text(errors="replace"), str(path))
    except OSError as error:
        raise StbuildError(f"the report cannot be read: {error.strerror}", where=str(path)) from error


def parse_utilisation(text: str, where: str = "util.rpt") -> Utilisation:
    """The report with this text, of any of the kinds."""
    tables = [table for _, table in box_tables(text)]
    found = Utilisation(
        slrs=tuple(place for table in tables for place in _slrs(table)),
        kernels=tuple(place for table in tables for place in _kernels(table)),
        device=tuple(_device(tables)),
        crossings=tuple(crossing for table in tables for crossing in _crossings(table)),
    )
    if not found.places:
        raise StbuildError("this is no report of utilisation: no table of it is known", where=where)
    return found


def _slrs(table: BoxTable) -> Iterator[Place]:
    """The table `SLR CLB Logic and Dedicated Block Utilization`: a count and a per cent for each SLR."""
    names = [head for head in table.head[1:] if head.startswith("SLR") and not head.endswith("%")]
    if table.head[:1] != ("Site Type",) or not names or f"{names[0]} %" not in table.head:
        return
    for name in names:
        count, share = table.head.index(name), table.head.index(f"{name} %")
        uses = [
            Use(kind=kind, used=used, available=None, percent=number(row[share]))
            for row in table.rows
            if (kind := _kind(row)) and (used := number(row[count])) is not None
        ]
        yield Place(name=name, uses=_each_once(uses))


def _kernels(table: BoxTable) -> Iterator[Place]:
    """The table `System Utilization`: a row for the platform, each kernel and each of its units."""
    if table.head[:1] != ("Name",) or table.column("LUT") is None:
        return
    for row in table.rows:
        uses = [
            Use(kind=_SITES[head], used=used, available=None, percent=_share(cell))
            for head, cell in zip(table.head[1:], row[1:], strict=False)
            if head in _SITES and (used := number(cell)) is not None
        ]
        yield Place(name=row[0].strip(), uses=_each_once(uses))


def _device(tables: list[BoxTable]) -> Iterator[Place]:
    """The tables `Site Type | Used | Fixed | … | Available | Util%` of a whole device, together."""
    uses = []
    for table in tables:
        used_at, of, share = (table.column(name) for name in ("Used", "Available", "Util%"))
        if table.head[:1] != ("Site Type",) or used_at is None or of is None or share is None:
            continue
        for row in table.rows:
            kind, used = _kind(row), number(row[used_at])
            if kind and used is not None:
                uses.append(Use(kind=kind, used=used, available=number(row[of]), percent=number(row[share])))
    if uses:
        yield Place(name="device", uses=_each_once(uses))


def _crossings(table: BoxTable) -> Iterator[Crossing]:
    used, of = table.column("Used"), table.column("Available")
    if used is None or of is None:
        return
    for row in table.rows:
        if "<->" in row[0]:
            available = number(row[of])
            yield Crossing(
                between=row[0].strip(),
                used=int(number(row[used]) or 0),
                available=None if available is None else int(available),
            )


def _kind(row: tuple[str, ...]) -> str | None:
    return _SITES.get(row[0].strip())


def _share(cell: str) -> float | None:
    """The per cent in a cell such as `82553 [  6.99%]`."""
    return number(cell.partition("[")[2].rstrip("]% ")) if "[" in cell else None


def _each_once(uses: list[Use]) -> tuple[Use, ...]:
    """The first row of each resource: reports repeat some in later tables."""
    return tuple({use.kind: use for use in reversed(uses)}.values())[::-1]
