"""Tables drawn with +, - and |, as HLS and Vivado print them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class BoxTable:
    """A table: its head, in which the lines of a cell are joined by a blank, and its rows.

    Cells keep the blanks on their left, by which tables show what lies within what. A row that was cut short
    is left out.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def column(self, *names: str) -> int | None:
        """The number of the first column that one of `names` begins, letter case aside."""
        for number, text in enumerate(self.head):
            if text.lower().startswith(tuple(name.lower() for name in names)):
                return number
        return None


def box_tables(text: str) -> Iterator[tuple[str, BoxTable]]:
    """Every table in `text` with the last line above it that is neither empty nor a rule."""
    title, block = "", list[str]()
    for line in [*text.splitlines(), ""]:
        stripped = line.strip()
        if stripped.startswith(("+--", "|")) and stripped.endswith(("+", "|")) and len(stripped) > 2:
            block.append(stripped)
            continue
        if any(each.startswith("+--") for each in block):
            table = _table(block)
            if table is not None:
                yield title, table
        block = []
        if stripped.strip("-= "):
            title = stripped


def _table(block: Sequence[str]) -> BoxTable | None:
    parts: list[list[tuple[str, ...]]] = [[]]
    for line in block:
        if line.startswith("+-"):
            parts.append([])
        else:
            parts[-1].append(tuple(cell.rstrip() for cell in line[1:-1].split("|")))
    filled = [part for part in parts if part]
    if not filled:
        return None
    rows = tuple(row for part in filled[1:] for row in part)
    head = _head(filled[0], len(rows[0]) if rows else 0)
    return BoxTable(head=head, rows=tuple(row for row in rows if len(row) == len(head)))


def _head(lines: list[tuple[str, ...]], width: int) -> tuple[str, ...]:
    """Cells of lines as wide as the table; a line of fewer, wider cells names groups of columns."""
    fitting = [line for line in lines if len(line) == width] or lines[-1:]
    return tuple(
        " ".join(line[i].strip() for line in fitting if i < len(line)).strip()
        for i in range(len(fitting[-1]))
    )
