"""Reads every blob of a cache and every output of a workspace, and removes what is damaged."""

import os
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct, field

from stbuild import layout
from stbuild.engine.keys import digest as digests
from stbuild.engine.store.copies import Copies, Found
from stbuild.engine.store.files import remove
from stbuild.engine.store.state import State


class Verified(Struct, frozen=True, kw_only=True):
    """What was not as it should be: names of blobs, and paths of outputs in a workspace."""

    damaged: list[str] = field(default_factory=list)
    """Removed: the next build that needs one makes it."""
    mended: list[str] = field(default_factory=list)
    """The bytes were right, mode or time were not, and are again."""


def verify(cache: Path, root: Path | None) -> Verified:
    """Judge the cache, and the outputs of the workspace at `root`; nobody may build there meanwhile."""
    found = Verified()
    copies = Copies()
    for blob in sorted(cache.glob("cas/*/*")):
        if len(blob.name) >= 64 and not blob.name.endswith(".tmp"):
            _judge(copies, str(blob), blob.name, blob.name, found)
    if root is not None and layout.state_dir(root).is_dir():
        for path, digest in _outputs(root, cache):
            _judge(copies, path, digest, os.path.relpath(path, root), found)
    return found


def _judge(copies: Copies, path: str, digest: str, shown: str, found: Verified) -> None:
    match copies.check(path, digest):
        case Found.DAMAGED:
            remove(path)
            found.damaged.append(shown)
        case Found.MENDED:
            found.mended.append(shown)


def _outputs(root: Path, cache: Path) -> Iterator[tuple[str, str]]:
    """Path and digest of every file that a build has put in place; the files of a tree one by one."""
    state = State(layout.state_dir(root))
    try:
        for name, result in state.results():
            folder = layout.out_dir(root) / name.partition("/")[0]
            for path, placed in sorted(result.outputs.items()):
                if placed.digest.endswith(digests.TREE):
                    members = _members(cache, placed.digest)
                    yield from ((f"{folder}/{path}/{member}", each) for member, each in members)
                else:
                    yield f"{folder}/{path}", placed.digest
    finally:
        state.close()


def _members(cache: Path, tree: str) -> list[tuple[str, str]]:
    try:
        return sorted(digests.parse_manifest((cache / "cas" / tree[:2] / tree).read_text()).items())
    except OSError:
        return []
