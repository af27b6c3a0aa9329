"""The resources of a design, for people to read and as data."""

from collections.abc import Iterator
from typing import Any

from stbuild.ir import serde
from stbuild.platform import Fabric, Platform
from stbuild.resources.fit import RESOURCES, Fit
from stbuild.resources.usage import Row, RowKind, unit_costs

BASIS = (
    "modelled: parts are calibrated on Yosys (rtl_lib/parts), memory ports and the shell are from public",
    "reports (stbuild platforms NAME), state machines are an estimate; nothing here has met Vitis or a card",
)
SHELL = "the shell's memory subsystem"
LARGEST = 16
"""Processes that the table names."""


def resource_data(fit: Fit, rows: tuple[Row, ...]) -> dict[str, Any]:
    """All of it as JSON: the judgement, every limit, every row."""
    return {
        "fits": fit.fits,
        "judgement": fit.sentence,
        "hint": "" if fit.fits else fit.hint,
        "nearest": serde.to_data(fit.nearest),
        "uses": [_plain(use) for use in fit.uses],
        "units": {unit: _plain(cost) for unit, cost in unit_costs(rows).items()},
        "rows": [_plain(row) for row in rows],
    }


def resource_report(name: str, platform: Platform, fit: Fit, rows: tuple[Row, ...]) -> str:
    """The table that `:resources` prints."""
    sections = (
        [f"resources of {name} on {platform.title}", *(f"  {line}" for line in BASIS)],
        _judgement(fit),
        _limits(platform, fit),
        _costs("by compute unit", {**unit_costs(rows), SHELL: _shell(fit, rows)}),
        _costs("by kind", _by_kind(rows)),
        _costs(f"the {LARGEST} largest processes", _largest(rows, platform)),
        _arrays(rows),
    )
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def _plain(value: object) -> Any:
    """Without the names of classes, which only this program's reader wants."""
    data = serde.to_data(value)
    return _without_tags(data)


def _without_tags(data: Any) -> Any:
    if isinstance(data, dict):
        return {k: _without_tags(v) for k, v in data.items() if k != serde.TAG}
    return [_without_tags(each) for each in data] if isinstance(data, list) else data


def _judgement(fit: Fit) -> Iterator[str]:
    yield f"judgement: {fit.sentence}"
    if not fit.fits:
        yield from (f"  {use}, {100 * use.share - 100:.0f} % too much" for use in fit.passed)
        yield f"  {fit.hint}"


def _limits(platform: Platform, fit: Fit) -> Iterator[str]:
    limits = platform.limits
    yield (
        f"used of what may be ({100 * limits.share:.0f} % of what the shell leaves, "
        f"{100 * limits.dsp_share:.0f} % of DSP)"
    )
    yield f"  what it leaves: {platform.slrs[0].source_of('available').text}"
    for place in dict.fromkeys(use.place for use in fit.uses):
        uses = [use for use in fit.uses if use.place == place]
        yield f"  {place:8} " + "  ".join(
            f"{use.resource} {use.used:,.0f}/{use.limit:,.0f}{'' if use.fits else ' !'}" for use in uses
        )


def _costs(title: str, costs: dict[str, Fabric]) -> Iterator[str]:
    yield f"{title:32}" + "".join(f"{name:>10}" for name in RESOURCES.values())
    for name, cost in costs.items():
        yield f"  {name[:30]:30}" + "".join(f"{_number(getattr(cost, field)):>10}" for field in RESOURCES)


def _number(count: float) -> str:
    return f"{count:,.1f}" if count % 1 else f"{count:,.0f}"


def _shell(fit: Fit, rows: tuple[Row, ...]) -> Fabric:
    """What the limits count beside the units, so that the units add up to them."""
    counted = {
        field: sum(use.used for use in fit.uses if use.resource == name) for field, name in RESOURCES.items()
    }
    units = {field: sum(getattr(row.cost, field) for row in rows) for field in RESOURCES}
    return Fabric(**{field: round(counted[field] - units[field]) for field in RESOURCES})


def _by_kind(rows: tuple[Row, ...]) -> dict[str, Fabric]:
    costs = {kind.value: Fabric(lut=0, ff=0) for kind in RowKind}
    for row in rows:
        costs[row.kind.value] = costs[row.kind.value] + row.cost
    return costs


def _largest(rows: tuple[Row, ...], platform: Platform) -> dict[str, Fabric]:
    """The processes that take the largest share of anything that the card has."""
    available = platform.available

    def share(row: Row) -> float:
        shares: list[float] = [getattr(row.cost, f) / max(getattr(available, f), 1) for f in RESOURCES]
        return max(shares)

    processes = [row for row in rows if row.kind is RowKind.PROCESS]
    largest = sorted(processes, key=share, reverse=True)[:LARGEST]
    return {row.name: row.cost for row in largest}


def _arrays(rows: tuple[Row, ...]) -> Iterator[str]:
    yield "arrays beyond LUT memory, where they are cheapest"
    for row in rows:
        for array in row.arrays:
            if array.storage.value in ("bram", "uram"):
                yield (
                    f"  {row.name[:28]:28} {array.name:12} {array.banks:>3} x {array.words:>8,} words of "
                    f"{array.bits:>5,} bits  {array.storage.value}"
                )
