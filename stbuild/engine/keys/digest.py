"""Digests: the name of a content. `<sha256>` is a file, with `x` an executable one, with `t` a tree."""

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from stbuild.errors import StbuildError

CHUNK = 1 << 20
_PAGE = 4096
EXECUTABLE = "x"
TREE = "t"
_MTIME_SECONDS = 1_000_000_000

Manifest = dict[str, str]
"""A tree: from the relative path of each file to its digest."""


def hash_bytes(data: bytes) -> str:
    """The digest of a plain file with this content."""
    return hashlib.sha256(data).hexdigest()


def hash_file(path: Path | str) -> str:
    """The digest of the file at `path`, with the mark of an executable."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # A pipe would wait for its writer.
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise StbuildError(f"{path} is neither a file nor a folder")
        return hash_open(handle, status)
    finally:
        os.close(handle)


def hash_open(handle: int, status: os.stat_result) -> str:
    """The digest of an open file, read from its beginning, with the mark of an executable."""
    if status.st_size < CHUNK:
        hasher = hashlib.sha256()
        while data := os.read(handle, status.st_size + _PAGE):
            hasher.update(data)
            if len(data) == status.st_size:  # The end; files of /proc say that they are empty.
                break
        digest = hasher.hexdigest()
    else:
        with open(handle, "rb", buffering=0, closefd=False) as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return digest + EXECUTABLE if status.st_mode & 0o100 else digest


def manifest_text(manifest: Mapping[str, str]) -> str:
    """The canonical text of a tree."""
    return json.dumps(sorted(manifest.items()), separators=(",", ":"))


def parse_manifest(text: str) -> Manifest:
    """The inverse of `manifest_text`."""
    return dict(json.loads(text))


def hash_tree(manifest: Mapping[str, str]) -> str:
    """The digest of a tree, which is that of its canonical text."""
    return hash_bytes(manifest_text(manifest).encode()) + TREE


def content_mtime_ns(digest: str) -> int:
    """The modification time that every stored copy of a content carries.

    It is a function of the digest, so one `stat` tells an untouched copy from an edited or replaced one.
    """
    return _MTIME_SECONDS * 1_000_000_000 + int(digest[:8], 16) % 1_000_000_000


def mode_of(digest: str) -> int:
    """The permissions of a stored copy: read-only, executable where it was."""
    return 0o555 if digest.endswith(EXECUTABLE) else 0o444
