"""What a workspace remembers between builds: signatures of files, and the last result of each action."""

import os
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct

from stbuild.engine.keys.digest import hash_bytes
from stbuild.engine.keys.tracker import keeps_changing, rested
from stbuild.engine.store.disk import append
from stbuild.engine.store.journal import Journal

_TRIES = 5
_LONG_S = 1.0
_SYNC_S = 1.0
_PARTS_BYTES = 1 << 26
_SMALL_BYTES = 1 << 10
"""What is not larger is kept as it is: compressing it takes longer than writing the rest of a result."""


class Placed(NamedTuple):
    """An output in place: digest, inode and change time, in whose place a tree has a digest of its files'."""

    digest: str
    inode: int
    changed: int


class Result(Struct, frozen=True, kw_only=True):
    """How an action last ended: its key, and where each output is by its path."""

    key: str
    outputs: dict[str, Placed]


class State:
    """What a workspace remembers. Any of it may be lost or damaged: the cache has the results."""

    def __init__(self, folder: Path) -> None:
        self._journal = Journal(folder, ("files", "actions", "notes", "parts"))
        self._files = self._journal.tables["files"]
        self._actions = self._journal.tables["actions"]
        self._places: dict[str, list[int]] = self._journal.tables["parts"]
        for key, _, place, _ in self._actions.values():
            self._places.setdefault(key, place)
        self._notes = self._journal.tables["notes"]
        self._parts_path = folder / "parts.bin"
        self._open_parts()
        self._synced = time.monotonic()

    def digest(self, path: str, hash_file: Callable[[str], str]) -> tuple[str, str]:
        """Signature and digest of the file at `path`; it is read only when its signature is new."""
        for _ in range(_TRIES):
            sig = signature_of(rested(path))
            known = self._files.get(path)
            if known is not None and known[0] == sig:
                return known[0], known[1]
            digest = hash_file(path)
            if signature_of(os.stat(path)) == sig:
                self._journal.set("files", path, [sig, digest])
                return sig, digest
        raise keeps_changing(path)

    def result(self, name: str) -> Result | None:
        """The last result of an action."""
        row = self._actions.get(name)
        if row is None:
            return None
        return Result(key=row[0], outputs={path: Placed(*rest) for path, *rest in row[1]})

    def results(self) -> Iterator[tuple[str, Result]]:
        """Every action's name with its last result."""
        for name in sorted(self._actions):
            result = self.result(name)
            assert result is not None
            yield name, result

    def knows(self, configuration: str, names: Iterable[str]) -> bool:
        """Whether all these actions have a last result."""
        return all(f"{configuration}/{name}" in self._actions for name in names)

    def record(
        self, name: str, key: str, outputs: Mapping[str, Placed], parts: str, seconds: float | None
    ) -> None:
        """Remember a result; `seconds` is None when it came from the cache."""
        place = self._places.get(key) or self._write_parts(parts)
        self._places[key] = place
        rows = _rows(outputs)
        old = self._actions.get(name)
        if old is not None and old[0] != key:
            self._journal.set("parts", old[0], old[2])
        lasted = round(seconds, 3) if seconds is not None else old[3] if old is not None else None
        self._journal.set("actions", name, [key, rows, place, lasted])
        if (seconds or 0) > _LONG_S or time.monotonic() - self._synced > _SYNC_S:
            self.commit()

    def replace(self, name: str, outputs: Mapping[str, Placed]) -> None:
        """Remember where the outputs of a result are now."""
        key, _, place, lasted = self._actions[name]
        self._journal.set("actions", name, [key, _rows(outputs), place, lasted])

    def parts(self, name: str) -> str | None:
        """The parts of the key under which an action last ended, as canonical JSON."""
        row = self._actions.get(name)
        return None if row is None else self.parts_of(row[0])

    def parts_of(self, key: str) -> str | None:
        """The parts of a key, as canonical JSON, if this workspace still knows them."""
        if key not in self._places:
            return None
        offset, size = self._places[key]
        data = os.pread(self._parts, size, offset)
        try:
            text = data if data.startswith(b"{") else zlib.decompress(data)
        except zlib.error:
            return None
        return text.decode() if hash_bytes(text) == key else None

    def seconds(self) -> dict[str, float]:
        """How long each action took when it last ran."""
        return {name: row[3] for name, row in self._actions.items() if row[3] is not None}

    def note(self, name: str) -> str | None:
        """A remembered text."""
        return self._notes.get(name)

    def set_note(self, name: str, value: str) -> None:
        """Remember a text."""
        self._journal.set("notes", name, value)

    def forget(self) -> None:
        """Forget every result, as after `clean`."""
        self._journal.clear("actions")

    def commit(self) -> None:
        """Make everything outlast a power cut."""
        self._journal.sync()
        self._synced = time.monotonic()

    def close(self) -> None:
        """Close the files; when the parts of keys have grown too large, old ones are dropped first."""
        if self._parts_bytes > _PARTS_BYTES:
            self._squeeze()
        os.close(self._parts)
        self._journal.close()

    def _open_parts(self) -> None:
        self._parts = os.open(self._parts_path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        self._parts_bytes = os.fstat(self._parts).st_size

    def _write_parts(self, parts: str) -> list[int]:
        data = parts.encode()
        if len(data) > _SMALL_BYTES:
            data = zlib.compress(data, 1)
        place = [self._parts_bytes, len(data)]
        append(self._parts, data)
        self._parts_bytes += len(data)
        return place

    def _squeeze(self) -> None:
        fresh = self._parts_path.with_suffix(f".{os.getpid()}")
        places = {row[0]: row[2] for row in self._actions.values()}
        self._places.clear()
        with fresh.open("wb") as stream:
            for key, (offset, size) in places.items():
                self._places[key] = [stream.tell(), size]
                stream.write(os.pread(self._parts, size, offset))
        for row in self._actions.values():
            row[2] = self._places[row[0]]
        os.close(self._parts)
        fresh.replace(self._parts_path)
        self._journal.fold()
        self._open_parts()


def _rows(outputs: Mapping[str, Placed]) -> list[list[Any]]:
    return [[path, *placed] for path, placed in outputs.items()]


def signature_of(status: os.stat_result) -> str:
    """What changes when a source file does: size, both times, inode, and whether it can be executed."""
    times = f"{status.st_mtime_ns}:{status.st_ctime_ns}"
    return f"{status.st_size}:{times}:{status.st_ino}:{status.st_mode & 0o100}"
