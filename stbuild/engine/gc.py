"""Makes a cache smaller, by age and by size, without taking from a build that runs what it needs."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from stbuild.engine import digest as digests
from stbuild.engine.results import Record, is_whole, records_in
from stbuild.engine.store import Store, remove

_YOUNG_S = 600
"""A blob without a record that is younger than this may belong to an action that is ending right now."""


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a cache holds."""

    records: int
    blobs: int
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Swept:
    """What a sweep removed."""

    records: int
    blobs: int
    bytes: int
    kept_bytes: int


def usage(root: Path) -> Usage:
    """Count records and blobs."""
    sizes = [blob.stat().st_size for blob in root.glob("cas/*/*")]
    records = sum(1 for shard in root.glob("results/??") for _ in records_in(shard))
    return Usage(records=records, blobs=len(sizes), bytes=sum(sizes))


def sweep(root: Path, store: Store, *, max_bytes: int | None, max_age_s: float | None) -> Swept:
    """Drop the records used least recently, then every blob that no record names.

    A running build is safe: it holds hard links to what it has placed, what it takes from the cache is used
    today and so dropped last, and a blob that is gone after all is a miss, never an error.
    """
    records = sorted(
        (
            (record.used, key, record)
            for shard in root.glob("results/??")
            for key, record, _ in records_in(shard)
        ),
        key=lambda row: (-row[0], row[1]),
    )
    kept: dict[str, Record] = {}
    live: dict[str, int] = {}
    total = 0
    for used, key, record in records:
        fresh = {name: size for name, size in _blobs(store, record).items() if name not in live}
        too_old = max_age_s is not None and time.time() - used > max_age_s
        if too_old or (max_bytes is not None and total + sum(fresh.values()) > max_bytes):
            continue
        kept[key] = record
        live.update(fresh)
        total += sum(fresh.values())
    for shard in root.glob("results/??"):
        _rewrite(shard, kept)
    blobs, freed = _remove_blobs(root, live)
    return Swept(records=len(records) - len(kept), blobs=blobs, bytes=freed, kept_bytes=total)


def _blobs(store: Store, record: Record) -> dict[str, int]:
    found: dict[str, int] = {}
    pending = [*record.outputs.values(), *([record.log] if record.log else [])]
    while pending:
        name = pending.pop()
        try:
            found[name] = os.stat(store.path(name)).st_size
        except OSError:
            continue
        if name.endswith(digests.TREE):
            pending += [each for each in store.manifest(name).values() if each not in found]
    return found


def _rewrite(shard: Path, kept: dict[str, Record]) -> None:
    lines = [line for key, _, line in records_in(shard) if key in kept]
    assert all(map(is_whole, lines))
    temporary = shard.with_name(f".{shard.name}.{os.getpid()}")
    temporary.write_bytes(b"".join(line + b"\n" for line in lines))
    temporary.replace(shard)


def _remove_blobs(root: Path, live: dict[str, int]) -> tuple[int, int]:
    count = freed = 0
    for blob in root.glob("cas/*/*"):
        try:
            status = blob.stat()
        except FileNotFoundError:
            continue
        if blob.name in live or time.time() - status.st_ctime < _YOUNG_S:
            continue
        remove(str(blob))
        count += 1
        freed += status.st_size
    return count, freed
