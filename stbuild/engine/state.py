"""What a workspace remembers between builds: signatures of files, and the last result of each action."""

import json
import os
import sqlite3
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCHEMA = """
create table if not exists files (
    path text primary key, sig text not null, digest text not null
) without rowid;
create table if not exists actions (
    id text primary key, key text not null, outputs text not null, parts blob, seconds real, at real
) without rowid;
create table if not exists notes (name text primary key, value text not null) without rowid;
"""
_VERSION = 1
_COMMIT_S = 0.2
_RACY_NS = 50_000_000


@dataclass(frozen=True, kw_only=True)
class Result:
    """How an action last ended: its key, and digest and inode of each output by path."""

    key: str
    outputs: dict[str, tuple[str, int]]


class State:
    """A SQLite file in WAL mode. A damaged one is dropped: it is only a memory, the cache has results."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "state.db"
        self._db = self._open()
        self._files: dict[str, tuple[str, str]] | None = None
        self._results: dict[str, tuple[str, str]] | None = None
        self._committed = time.monotonic()
        self._dirty = False

    def digest(self, path: str, hash_file: Any) -> tuple[str, str]:
        """Signature and digest of the file at `path`; it is read only when its signature is new."""
        if self._files is None:
            rows = self._db.execute("select path, sig, digest from files")
            self._files = {path: (sig, digest) for path, sig, digest in rows}
        status = os.stat(path)
        sig = signature_of(status)
        known = self._files.get(path)
        if known is not None and known[0] == sig:
            return known
        digest = hash_file(path)
        after = os.stat(path)
        if signature_of(after) != sig:
            return self.digest(path, hash_file)
        found = (sig, digest)
        if not _racy(after):
            self._files[path] = found
            self._db.execute("insert or replace into files values (?, ?, ?)", (path, sig, digest))
            self._dirty = True
        return found

    def result(self, name: str) -> Result | None:
        """The last result of an action."""
        if self._results is None:
            self._results = {
                row[0]: (row[1], row[2]) for row in self._db.execute("select id, key, outputs from actions")
            }
        row = self._results.get(name)
        if row is None:
            return None
        return Result(
            key=row[0], outputs={path: (digest, inode) for path, digest, inode in json.loads(row[1])}
        )

    def record(
        self,
        name: str,
        key: str,
        outputs: dict[str, tuple[str, int]],
        parts: str | None,
        seconds: float | None,
    ) -> None:
        """Remember a result; it is durable within a fraction of a second, at once after a long action."""
        text = json.dumps(
            [[path, digest, inode] for path, (digest, inode) in outputs.items()], separators=(",", ":")
        )
        blob = zlib.compress(parts.encode(), 1) if parts is not None else None
        self._db.execute(
            "insert into actions values (?, ?, ?, ?, ?, ?) on conflict (id) do update set "
            "key = excluded.key, outputs = excluded.outputs, at = excluded.at, "
            "parts = coalesce(excluded.parts, parts), "
            "seconds = coalesce(excluded.seconds, seconds)",
            (name, key, text, blob, seconds, time.time()),
        )
        if self._results is not None:
            self._results[name] = (key, text)
        self._dirty = True
        if (seconds or 0) > 1 or time.monotonic() - self._committed > _COMMIT_S:
            self.commit()

    def parts(self, name: str) -> dict[str, Any] | None:
        """The parts of the key under which an action last ended."""
        row = self._db.execute("select parts from actions where id = ?", (name,)).fetchone()
        if row is None or row[0] is None:
            return None
        parts: dict[str, Any] = json.loads(zlib.decompress(row[0]))
        return parts

    def seconds(self) -> dict[str, float]:
        """How long each action took when it last ran."""
        return dict(self._db.execute("select id, seconds from actions where seconds is not null").fetchall())

    def note(self, name: str) -> str | None:
        """A remembered text."""
        row = self._db.execute("select value from notes where name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def take_note(self, name: str, value: str) -> None:
        """Remember a text."""
        self._db.execute("insert or replace into notes values (?, ?)", (name, value))
        self._dirty = True

    def forget(self) -> None:
        """Forget every result, as after `clean`."""
        self._db.execute("delete from actions")
        self._results = None
        self._dirty = True
        self.commit()

    def commit(self) -> None:
        """Make everything durable."""
        if self._dirty:
            self._db.commit()
        self._dirty = False
        self._committed = time.monotonic()

    def close(self) -> None:
        """Commit and let go of the file."""
        self.commit()
        self._db.close()

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.DatabaseError:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self._path}{suffix}").unlink(missing_ok=True)
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=30, isolation_level="DEFERRED", check_same_thread=False)
        db.execute("pragma journal_mode = wal")
        db.execute("pragma synchronous = normal")
        if db.execute("pragma user_version").fetchone()[0] != _VERSION:
            db.executescript(
                "drop table if exists files; drop table if exists actions; drop table if exists notes;"
            )
            db.executescript(_SCHEMA)
            db.execute(f"pragma user_version = {_VERSION}")
            db.commit()
        return db


def signature_of(status: os.stat_result) -> str:
    """What changes when a source file does: size, both times, inode."""
    return (
        f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}:{status.st_ino}:{status.st_mode & 0o100}"
    )


def _racy(status: os.stat_result) -> bool:
    """Whether the file is so young (or from the future) that a later edit could look the same."""
    return time.time_ns() - max(status.st_ctime_ns, status.st_mtime_ns) < _RACY_NS
