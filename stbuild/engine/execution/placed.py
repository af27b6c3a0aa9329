"""Outputs in place: whether each is still what was put there, at the cost of one `stat` where it is."""

import hashlib
import os
from collections.abc import Iterator, Mapping

from stbuild.engine.keys import digest as digests
from stbuild.engine.store.copies import Found, is_sealed
from stbuild.engine.store.state import Placed
from stbuild.engine.store.store import Store


class Outputs:
    """The outputs of one configuration, as links to blobs of a store or as copies of them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.coarse_ns = 0
        """For so long two changes may have one change time; 0 where they have not, or no action can write."""

    def place(self, path: str, digest: str) -> Placed:
        """Put a content in place at `path`."""
        status = self._store.checkout(digest, path)
        return Placed(digest, status.st_ino, _changed(path, digest, status))

    def again(self, path: str, last: Placed) -> Placed | None:
        """An output that was put in place by an earlier build, as it is now; None when it must be put anew.

        What another workspace or a sweep has done to the blob changes the time, and the file is read once.
        """
        try:
            status = os.lstat(path)
            if status.st_ino != last.inode:
                return None
            if _changed(path, last.digest, status) == last.changed:
                return last if self._take(path, last.digest, status) else None
            if not self.sound(path, last.digest):
                return None
            return Placed(last.digest, last.inode, _changed(path, last.digest, os.lstat(path)))
        except OSError:
            return None

    def moved(self, digest: str) -> bool:
        """Whether this build gave the blob of an output another name, or took one: its change time is new."""
        moved = self._store.copies.moved
        if not moved or not digest.endswith(digests.TREE):
            return digest in moved
        return not moved.isdisjoint((self._store.sound_manifest(digest) or {}).values())

    def sound(self, path: str, digest: str, *, doubt_ns: int | None = None) -> bool:
        """Whether an output shows what it should; mode and time of a file are put right."""
        if not digest.endswith(digests.TREE):
            found = self._store.copies.check(path, digest, doubt_ns=doubt_ns)
            return found in (Found.SOUND, Found.MENDED)
        manifest = self._store.sound_manifest(digest)
        return (
            manifest is not None
            and _holds_just(path, manifest)
            and all(self.sound(f"{path}/{name}", each, doubt_ns=doubt_ns) for name, each in manifest.items())
        )

    def unchanged_since(self, path: str, digest: str, since_ns: int) -> bool:
        """Whether an output is sound and, as far as anybody has looked, was so all the time."""
        if not self.sound(path, digest, doubt_ns=since_ns - self.coarse_ns if self.coarse_ns else None):
            return False
        mended = self._store.copies.mended
        if not mended:
            return True
        tree = digest.endswith(digests.TREE)
        parts = self._store.manifest(digest).values() if tree else [digest]
        return not any(mended.get(each, -1) >= since_ns for each in parts)

    def marks(self, path: str, digest: str) -> dict[str, tuple[int, int]] | None:
        """Change time and inode of an output, and of what a tree holds; None for one that is not sound."""
        if not self.sound(path, digest):
            return None
        if not digest.endswith(digests.TREE):
            return {path: mark(path)}
        found = {place: mark(place) for place, _, _ in os.walk(path)}
        found.update((each, mark(each)) for each in _files(path))
        return found

    def _take(self, path: str, digest: str, status: os.stat_result) -> bool:
        """Take an output as sound whose change time is known; False where its mode or time are not right."""
        copies = self._store.copies
        if not digest.endswith(digests.TREE):
            copies.note(status, digest)
            return is_sealed(status, digest)
        manifest = self._store.sound_manifest(digest)
        if manifest is None or not _holds_just(path, manifest):
            return False
        for name, each in manifest.items():
            copies.note(os.lstat(f"{path}/{name}"), each)
        return self.sound(path, digest)


def mark(path: str) -> tuple[int, int]:
    """What tells that a file or folder in place has not changed: change time and inode."""
    status = os.stat(path)
    return status.st_ctime_ns, status.st_ino


def _changed(path: str, digest: str, status: os.stat_result) -> int:
    if not digest.endswith(digests.TREE):
        return status.st_ctime_ns
    times = [f"{os.path.relpath(each, path)} {os.lstat(each).st_ctime_ns}" for each in _files(path)]
    return int.from_bytes(hashlib.sha256("\n".join(sorted(times)).encode()).digest()[:7], "little")


def _holds_just(folder: str, manifest: Mapping[str, str]) -> bool:
    found = [os.path.relpath(path, folder) for path in _files(folder)]
    return len(found) == len(manifest) and all(name in manifest for name in found)


def _files(folder: str) -> Iterator[str]:
    for place, _, names in os.walk(folder):
        yield from (f"{place}/{name}" for name in names)
