"""The action cache: from an action's key to the digests of what it made.

Records are lines in 256 files, by the key's first two digits. A line is appended in one write and carries a
checksum, so a torn one is a miss; the last line of a key counts.
"""

import json
import os
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from stbuild.engine.graph.encode import encode
from stbuild.engine.store.disk import append
from stbuild.engine.store.files import cache_error
from stbuild.engine.store.store import Store

_TOUCH_S = 86_400
_KEY = 64
_HEAD = 9 + _KEY + 1


class Record(Struct, frozen=True, kw_only=True):
    """One finished action: its outputs by their path `out/…`, what it printed, and how long it took."""

    outputs: dict[str, str]
    log: str = ""
    seconds: float = 0.0
    used: int = 0
    """When it was made or last used, in seconds since 1970, to a day."""


class Shard:
    """The records whose keys begin alike."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._handle = -1
        self._data = bytearray()
        self._inode = 0

    def find(self, key: str) -> bytes | None:
        """The last whole line of a key, without its checksum."""
        self._refresh()
        wanted = b" " + key.encode() + b" "
        at = self._data.rfind(wanted)
        while at >= 0:
            start = self._data.rfind(b"\n", 0, at) + 1
            end = self._data.find(b"\n", at)
            line = bytes(self._data[start:end]) if end >= 0 else b""
            if is_whole(line):
                return line[9:]
            at = self._data.rfind(wanted, 0, at)
        return None

    def append(self, text: bytes, *, sync: bool) -> None:
        """Add a line."""
        if self._handle < 0 or os.fstat(self._handle).st_nlink == 0:
            self._open()
        line = b"%08x %s\n" % (zlib.crc32(text), text)
        append(self._handle, line)
        if os.lseek(self._handle, 0, os.SEEK_CUR) == len(self._data) + len(line):
            self._data += line
        if sync:
            os.fsync(self._handle)

    def close(self) -> None:
        """Close the file."""
        if self._handle >= 0:
            os.close(self._handle)
        self._handle = -1

    def _open(self) -> None:
        self.close()
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._handle = os.open(self.path, flags, 0o666)
        size = os.fstat(self._handle).st_size
        if size and os.pread(self._handle, 1, size - 1) != b"\n":
            os.write(self._handle, b"\n")

    def _refresh(self) -> None:
        """Read what was appended since, or everything when a sweep has put another file in the place."""
        try:
            status = self._status()
        except FileNotFoundError:
            self._data.clear()
            return
        if status.st_ino != self._inode or status.st_size < len(self._data):
            self._data.clear()
            self._inode = status.st_ino
        if status.st_size > len(self._data):
            with open(self.path, "rb", buffering=0) as stream:
                stream.seek(len(self._data))
                self._data += stream.read()

    def _status(self) -> os.stat_result:
        if self._handle >= 0:
            with suppress(OSError):  # NFS no longer knows a file that another machine has replaced.
                status = os.fstat(self._handle)
                if status.st_nlink:
                    return status
        return os.stat(self.path)


class ActionCache:
    """Finds and keeps records."""

    def __init__(self, root: Path, store: Store) -> None:
        self._root = root
        self._store = store
        self._shards: dict[str, Shard] = {}

    def get(self, key: str) -> Record | None:
        """The record of `key`, if every content that it names is still here."""
        line = self._shard(key).find(key)
        if line is None:
            return None
        record = parse(line)
        if not all(map(self._store.has, record.outputs.values())):
            return None
        if time.time() - record.used > _TOUCH_S:
            self.put(key, record)
        return record

    def put(self, key: str, record: Record, *, sync: bool = False) -> None:
        """Remember a finished action, whose contents are in the store already."""
        fields = {"outputs": record.outputs, "seconds": round(record.seconds, 3), "used": int(time.time())}
        if record.log:
            fields["log"] = record.log
        text = b"%s %s" % (key.encode(), encode(fields))
        try:
            with self._store.gc_lock():
                self._shard(key).append(text, sync=sync)
        except OSError as error:
            raise cache_error(self._root, error) from None

    def close(self) -> None:
        """Close the files."""
        for shard in self._shards.values():
            shard.close()

    def _shard(self, key: str) -> Shard:
        name = key[:2]
        if name not in self._shards:
            self._shards[name] = Shard(f"{self._root}/results/{name}")
        return self._shards[name]


def records_in(path: Path) -> Iterator[tuple[str, Record, bytes]]:
    """Key, record and line of every key in a shard's file, each once and as it was last written."""
    last: dict[str, bytes] = {}
    for line in path.read_bytes().split(b"\n"):
        if is_whole(line):
            key = line[9 : 9 + _KEY].decode()
            last.pop(key, None)
            last[key] = line
    for key, line in last.items():
        yield key, parse(line[9:]), line


def is_whole(line: bytes) -> bool:
    """Whether a line with its checksum is as it was written."""
    return len(line) > _HEAD and line[:8] == b"%08x" % zlib.crc32(line[9:])


def parse(line: bytes) -> Record:
    """The record in a line without its checksum."""
    fields: dict[str, Any] = json.loads(line[_KEY + 1 :])
    return Record(
        outputs=fields["outputs"], log=fields.get("log", ""), seconds=fields["seconds"], used=fields["used"]
    )
