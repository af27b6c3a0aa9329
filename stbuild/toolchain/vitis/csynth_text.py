"""Reads csynth.rpt and <module>_csynth.rpt, which tell the target II that csynth.xml leaves out."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from stbuild.errors import StbuildError
from stbuild.toolchain.vitis.box_table import BoxTable, box_tables
from stbuild.toolchain.vitis.numbers import number, whole
from stbuild.toolchain.vitis.synthesis import Area, Loop, Module, Synthesis

_TITLE = re.compile(r"== (?:Vitis HLS |Vivado HLS |Synthesis Summary )Report (?:for|of) '([^']+)'")
_SETTING = re.compile(r"^\s*\* ([A-Z][\w ]+?):\s+(.+?)\s*$", re.MULTILINE)
_ROW = re.compile(r"^(\s*)([-+o*])\s+(.+?)\*?\s*$")
"""A row of the summary or of a table of loops: how deep it lies, what it is, its name."""


def read_csynth_text(path: Path) -> Synthesis:
    """The report at `path`; a file that is none is a StbuildError."""
    try:
        return parse_csynth_text(path.read_text(errors="replace"), str(path))
    except OSError as error:
        raise StbuildError(f"the report cannot be read: {error.strerror}", where=str(path)) from error


def parse_csynth_text(text: str, where: str = "csynth.rpt") -> Synthesis:
    """The report with this text: of all modules, or of one."""
    title = _TITLE.search(text)
    if title is None:
        raise StbuildError("this is no csynth.rpt: it has no title of an HLS report", where=where)
    settings = {name.lower(): value for name, value in _SETTING.findall(text)}
    tables = list(box_tables(text))
    modules = tuple(_summary(tables)) or (_module(title[1], tables),)
    target, estimated, uncertainty = _clock(tables)
    return Synthesis(
        top=title[1],
        part=settings.get("target device", ""),
        version=settings.get("version", "").split(" ")[0],
        target_ns=target,
        uncertainty_ns=uncertainty,
        estimated_ns=estimated,
        available=_area_row(tables, "Available"),
        modules=tuple(sorted(modules, key=lambda module: module.name != title[1])),
    )


def _summary(tables: list[tuple[str, BoxTable]]) -> Iterator[Module]:
    """The modules of the table `Modules & Loops`, each with the loops below it."""
    for _, table in tables:
        if table.column("Modules & Loops", "Modules") is None or table.column("LUT") is None:
            continue
        module: Module | None = None
        around: list[tuple[int, str]] = []
        for row in table.rows:
            found = _ROW.match(row[0])
            if found is None:
                continue
            depth, name = len(found[1]), found[3].strip()
            if found[2] != "o":
                if module is not None:
                    yield module
                module, around = _summary_module(table, row, name), []
            elif module is not None:
                around = [each for each in around if each[0] < depth]
                loop = _summary_loop(table, row, name, tuple(each for _, each in around))
                module = replace(module, loops=(*module.loops, loop))
                around.append((depth, name))
        if module is not None:
            yield module


def _summary_module(table: BoxTable, row: tuple[str, ...], name: str) -> Module:
    return Module(
        name=name,
        worst_latency=whole(_cell(table, row, "Latency (cycles)")),
        interval=whole(_cell(table, row, "Interval")),
        area=Area(
            bram18=whole(_cell(table, row, "BRAM")),
            dsp=whole(_cell(table, row, "DSP")),
            ff=whole(_cell(table, row, "FF")),
            lut=whole(_cell(table, row, "LUT")),
            uram=whole(_cell(table, row, "URAM")),
        ),
    )


def _summary_loop(table: BoxTable, row: tuple[str, ...], name: str, path: tuple[str, ...]) -> Loop:
    pipelined = _cell(table, row, "Pipelined").strip() == "yes"
    issue = _cell(table, row, "Issue Type").strip()
    return Loop(
        name=name,
        path=path,
        trip_count=whole(_cell(table, row, "Trip Count")),
        latency=whole(_cell(table, row, "Latency (cycles)")),
        iteration_latency=whole(_cell(table, row, "Iteration Latency")),
        ii=whole(_cell(table, row, "Interval")) if pipelined else None,
        pipelined=pipelined,
        issue="" if issue == "-" else issue,
    )


def _module(name: str, tables: list[tuple[str, BoxTable]]) -> Module:
    latency = _after(tables, "+ Latency")
    cells = latency.rows[0] if latency is not None and latency.rows else ()
    low, high, interval = (whole(cells[i]) if len(cells) > i else None for i in (0, 1, 5))
    _, estimated, _ = _clock(tables)
    return Module(
        name=name,
        best_latency=low,
        worst_latency=high,
        interval=interval,
        estimated_ns=estimated,
        area=_area_row(tables, "Total"),
        loops=tuple(_loop_rows(tables)),
    )


def _after(tables: list[tuple[str, BoxTable]], _title: str) -> BoxTable | None:
    """The table of the module's own latency."""
    wanted = ("min", "max")
    for title, table in tables:
        if title.startswith("* Summary") and table.head[:2] == wanted:
            return table
    return None


def _loop_rows(tables: list[tuple[str, BoxTable]]) -> Iterator[Loop]:
    """Loops of a module's own report: name, latency min and max, iteration, achieved, target, trips, yes."""
    for _, table in tables:
        if not table.head or table.head[0] != "Loop Name":
            continue
        around: list[tuple[int, str]] = []
        for row in table.rows:
            found = _ROW.match(row[0])
            if found is None or len(row) < 8:
                continue
            depth = len(found[1])
            around = [each for each in around if each[0] < depth]
            yield Loop(
                name=found[3].strip(),
                path=tuple(name for _, name in around),
                trip_count=whole(row[6]),
                latency=whole(row[2]),
                iteration_latency=whole(row[3]),
                ii=whole(row[4]),
                target_ii=whole(row[5]),
                pipelined=row[7].strip() == "yes",
            )
            around.append((depth, found[3].strip()))


def _clock(tables: list[tuple[str, BoxTable]]) -> tuple[float | None, float | None, float | None]:
    for _, table in tables:
        if table.column("Clock") == 0 and table.column("Uncertainty") is not None and table.rows:
            row = table.rows[0]
            columns = (table.column("Target"), table.column("Estimated"), table.column("Uncertainty"))
            target, estimated, uncertainty = (number(row[c]) if c is not None else None for c in columns)
            return target, estimated, uncertainty
    return None, None, None


def _area_row(tables: list[tuple[str, BoxTable]], name: str) -> Area:
    for title, table in tables:
        if not title.startswith("* Summary") or table.column("LUT") is None:
            continue
        for row in table.rows:
            if row[0].strip() == name:
                return Area(
                    bram18=whole(_cell(table, row, "BRAM_18K")),
                    dsp=whole(_cell(table, row, "DSP")),
                    ff=whole(_cell(table, row, "FF")),
                    lut=whole(_cell(table, row, "LUT")),
                    uram=whole(_cell(table, row, "URAM")),
                )
    return Area()


def _cell(table: BoxTable, row: tuple[str, ...], name: str) -> str:
    column = table.column(name)
    return row[column] if column is not None and column < len(row) else ""
