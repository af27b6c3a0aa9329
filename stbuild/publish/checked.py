"""A content on its way to a file: its size is bounded and its digest must be the one that was asked for."""

import hashlib
from pathlib import Path
from types import TracebackType
from typing import Self

from stbuild.errors import StbuildError
from stbuild.publish.oci import Descriptor

CHUNK = 1 << 20


class CheckedFile:
    """Writes beside `target` and takes its place once all bytes are there and right.

    What was written stays for `resume` while the content is incomplete, and is removed where it is wrong.
    """

    def __init__(self, content: Descriptor, target: Path, where: str) -> None:
        self._content, self._target, self._where = content, target, where
        self._part = target.with_name(f".{target.name}.part")
        self._hasher = hashlib.sha256()
        self.written = 0

    def __enter__(self) -> Self:
        self._target.parent.mkdir(parents=True, exist_ok=True)
        self._stream = self._part.open("a+b")
        self._stream.seek(0)
        while data := self._stream.read(CHUNK):
            self._hasher.update(data)
            self.written += len(data)
        if self.written > self._content.size:
            self.restart()
        return self

    def restart(self) -> None:
        """Begin anew: what was written is of another content."""
        self._stream.truncate(0)
        self._hasher, self.written = hashlib.sha256(), 0

    def write(self, data: bytes) -> None:
        """The next bytes; more than the content has are refused before they are written."""
        self.written += len(data)
        if self.written > self._content.size:
            self._part.unlink()
            raise wrong_content(self._content, f"has more than {self._content.size:,} bytes", self._where)
        self._hasher.update(data)
        self._stream.write(data)

    @property
    def complete(self) -> bool:
        """Whether all bytes are there."""
        return self.written == self._content.size

    def take(self) -> None:
        """Put the file in its place, if it is the content that was asked for."""
        self._stream.close()
        if not self.complete:
            message = f"ends after {self.written:,} of {self._content.size:,} bytes"
            raise wrong_content(self._content, message, self._where)
        if self._hasher.hexdigest() != self._content.hex:
            self._part.unlink()
            message = f"has the digest sha256:{self._hasher.hexdigest()}"
            raise wrong_content(self._content, message, self._where)
        self._part.chmod(0o444)
        self._part.replace(self._target)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()


def check_bytes(content: Descriptor, data: bytes, where: str) -> bytes:
    """`data`, if it is the content."""
    if len(data) != content.size:
        raise wrong_content(content, f"has {len(data):,} bytes, not {content.size:,}", where)
    found = hashlib.sha256(data).hexdigest()
    if found != content.hex:
        raise wrong_content(content, f"has the digest sha256:{found}", where)
    return data


def wrong_content(content: Descriptor, what: str, where: str) -> StbuildError:
    """The sentence for a content that is not what its descriptor says."""
    return StbuildError(f"{content.digest} {what}: it was cut or changed", where=where, exit_code=1)
