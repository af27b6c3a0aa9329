"""A dictionary on disk: a snapshot, and a journal of what was set since; a torn part of either is ignored.

Only one process may have it open. A record is in the file once it is set, so a killed process loses none.
"""

import json
import marshal
import os
import zlib
from pathlib import Path
from typing import Any

from stbuild.engine.graph.encode import encode
from stbuild.engine.store.disk import append

_FOLD_LINES = 2000
_VERSION = b"stbuild state 4\n"

Tables = dict[str, dict[str, Any]]


class Journal:
    """Tables of plain values by name."""

    def __init__(self, folder: Path, tables: tuple[str, ...]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._snapshot = folder / "state.snapshot"
        self._path = folder / "state.journal"
        self.tables: Tables = {name: {} for name in tables}
        self._lines = 0
        self._load()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._handle = os.open(self._path, flags, 0o644)
        os.write(self._handle, b"\n")

    def set(self, table: str, name: str, value: Any) -> None:
        """Set one record."""
        self.tables[table][name] = value
        text = encode([table, name, value])
        append(self._handle, b"%08x %s\n" % (zlib.crc32(text), text))
        self._lines += 1

    def clear(self, table: str) -> None:
        """Forget every record of a table."""
        self.tables[table].clear()
        self.fold()

    def sync(self) -> None:
        """Make every record outlast a power cut."""
        os.fdatasync(self._handle)

    def fold(self) -> None:
        """Write a snapshot and begin a new journal."""
        data = marshal.dumps(self.tables)
        temporary = self._snapshot.with_suffix(f".{os.getpid()}")
        try:
            with temporary.open("wb") as stream:
                stream.write(_VERSION + b"%08x\n" % zlib.crc32(data) + data)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        temporary.replace(self._snapshot)
        os.ftruncate(self._handle, 0)
        self._lines = 0

    def close(self) -> None:
        """Close the files."""
        if self._lines > _FOLD_LINES:
            self.fold()
        os.close(self._handle)

    def _load(self) -> None:
        for name, table in _read_snapshot(self._snapshot).items():
            if name in self.tables:
                self.tables[name] = table
        try:
            lines = self._path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        for line in lines:
            record = _read_line(line)
            if record is not None and record[0] in self.tables:
                self.tables[record[0]][record[1]] = record[2]
                self._lines += 1


def _read_snapshot(path: Path) -> Tables:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    start = len(_VERSION) + 9
    if data[: len(_VERSION)] != _VERSION or data[len(_VERSION) : start] != b"%08x\n" % zlib.crc32(
        data[start:]
    ):
        return {}
    tables: Tables = marshal.loads(data[start:])
    return tables


def _read_line(line: bytes) -> list[Any] | None:
    if len(line) < 10 or b"%08x" % zlib.crc32(line[9:]) != line[:8]:
        return None
    record: list[Any] = json.loads(line[9:])
    return record
