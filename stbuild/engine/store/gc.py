"""Makes a cache smaller, by age and by size, without taking from a build that runs what it needs."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stbuild.engine.keys import digest as digests
from stbuild.engine.store.files import remove
from stbuild.engine.store.results import Record, is_whole, records_in
from stbuild.engine.store.store import Store

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


def sweep(
    root: Path, store: Store, *, max_bytes: int | None, max_age_s: float | None, young_s: float = _YOUNG_S
) -> Swept:
    """Drop the records used least recently, then every blob that no record names.

    A running build is safe: it holds hard links to what it has placed, blobs that it has just made or found
    are younger than `young_s` and stay, and one that is gone before it is placed is a miss, never an error.
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
        with store.gc_lock(alone=True):
            _rewrite(shard, kept, {key for _, key, _ in records})
    blobs, freed = _remove_blobs(root, store, live, young_s)
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
            with suppress(ValueError):  # A damaged one names nothing.
                pending += [each for each in store.manifest(name).values() if each not in found]
    return found


def _rewrite(shard: Path, kept: dict[str, Record], judged: set[str]) -> None:
    """Leave out what was dropped; a record that a build has written meanwhile stays."""
    lines = [line for key, _, line in records_in(shard) if key in kept or key not in judged]
    assert all(map(is_whole, lines))
    temporary = shard.with_name(f".{shard.name}.{os.getpid()}")
    temporary.write_bytes(b"".join(line + b"\n" for line in lines))
    temporary.replace(shard)


def _remove_blobs(root: Path, store: Store, live: dict[str, int], young_s: float) -> tuple[int, int]:
    count = freed = 0
    for blob in root.glob("cas/*/*"):
        if blob.name in live:
            continue
        with store.gc_lock(alone=True):
            size = _remove_old(blob, young_s)
        count += size is not None
        freed += size or 0
    return count, freed


def _remove_old(blob: Path, young_s: float) -> int | None:
    try:
        status = blob.stat()
    except FileNotFoundError:
        return None
    if time.time() - status.st_ctime < young_s:
        return None
    remove(str(blob))
    return status.st_size
