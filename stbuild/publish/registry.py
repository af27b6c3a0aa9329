"""A repository of a registry, by the OCI distribution specification: what was sent or got is not sent again."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urljoin

import requests
import urllib3

from stbuild.errors import StbuildError
from stbuild.publish.checked import CHUNK, CheckedFile, check_bytes, wrong_content
from stbuild.publish.http import Http, unexpected
from stbuild.publish.oci import MANIFEST_LIMIT, MANIFEST_TYPE, Descriptor, digest_of
from stbuild.publish.reference import Reference
from stbuild.publish.storage import Progress

_ATTEMPTS = 4
"""How often a content is taken up again after its connection was cut."""
_BROKEN = (requests.ConnectionError, requests.Timeout)


class Registry:
    """One repository over HTTP."""

    def __init__(self, reference: Reference) -> None:
        self._place = reference.place
        self._http = Http(reference)
        self._base = f"{reference.scheme}://{reference.host}/v2/{reference.repository}"

    def manifest(self, name: str) -> bytes | None:
        """The manifest with a tag or digest."""
        url = f"{self._base}/manifests/{name}"
        with self._http.ask("GET", url, headers={"Accept": MANIFEST_TYPE}, stream=True) as answer:
            if answer.status_code == 404:
                return None
            if answer.status_code != 200:
                raise unexpected(answer, f"{self._place}:{name}")
            return self._limited(answer, MANIFEST_LIMIT, name)

    def put_manifest(self, data: bytes, name: str, artifact_type: str) -> None:
        """Store a manifest under a tag or its digest."""
        headers = {"Content-Type": MANIFEST_TYPE}
        answer = self._http.ask("PUT", f"{self._base}/manifests/{name}", headers=headers, data=data)
        if answer.status_code != 201:
            raise unexpected(answer, f"{self._place}:{name}")
        told = answer.headers.get("Docker-Content-Digest", digest_of(data))
        if told != digest_of(data):
            raise StbuildError("the registry stored another manifest", where=self._place, exit_code=1)

    def has(self, content: Descriptor) -> bool:
        """Whether a blob is there."""
        answer = self._http.ask("HEAD", f"{self._base}/blobs/{content.digest}")
        if answer.status_code not in (200, 404):
            raise unexpected(answer, self._place)
        return answer.status_code == 200

    def put(self, content: Descriptor, source: Path, tell: Progress) -> None:
        """Send a file, unless it is there; a cut connection goes on where it was cut."""
        if self.has(content):
            tell(content.size)
            return
        with source.open("rb") as stream:

            def body(start: int) -> Iterator[bytes]:
                stream.seek(start)
                while data := stream.read(CHUNK):
                    yield data
                    tell(len(data))

            self._send(content, body)

    def put_bytes(self, content: Descriptor, data: bytes) -> None:
        """Send a small content, unless it is there."""
        if not self.has(content):
            self._send(content, lambda start: iter([data[start:]] if data[start:] else []))

    def get(self, content: Descriptor, target: Path, tell: Progress) -> None:
        """Get a blob; what a former attempt got, also one of another process, is not asked for again."""
        where = f"{self._place}@{content.digest}"
        with CheckedFile(content, target, where) as checked:
            tell(checked.written)
            for attempt in range(_ATTEMPTS):
                try:
                    self._receive(content, checked, tell)
                except _BROKEN:
                    if attempt == _ATTEMPTS - 1:
                        raise
                if checked.complete:
                    break
            checked.take()

    def get_bytes(self, content: Descriptor) -> bytes:
        """A small blob, checked."""
        with self._http.ask("GET", f"{self._base}/blobs/{content.digest}", stream=True) as answer:
            self._refuse(answer, content)
            return check_bytes(content, self._limited(answer, content.size, content.digest), self._place)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections; what broke one is told in a sentence."""
        self._http.close()
        if isinstance(error, requests.RequestException):
            raise self._http.unreachable(error) from error

    def _receive(self, content: Descriptor, checked: CheckedFile, tell: Progress) -> None:
        """One request for the bytes that are not there yet."""
        if checked.complete:
            return
        headers = {"Range": f"bytes={checked.written}-"} if checked.written else {}
        url = f"{self._base}/blobs/{content.digest}"
        with self._http.ask("GET", url, headers=headers, stream=True) as answer:
            self._refuse(answer, content)
            if checked.written and answer.status_code == 200:
                checked.restart()
            for data in pieces(answer):
                checked.write(data)
                tell(len(data))

    def _refuse(self, answer: requests.Response, content: Descriptor) -> None:
        if answer.status_code == 404:
            raise wrong_content(content, "is missing", self._place)
        if answer.status_code not in (200, 206):
            raise unexpected(answer, self._place)

    def _send(self, content: Descriptor, body: Callable[[int], Iterator[bytes]]) -> None:
        """Open an upload, send the bytes, and close it with the digest, which the registry checks."""
        answer = self._http.ask("POST", f"{self._base}/blobs/uploads/", headers={"Content-Length": "0"})
        if answer.status_code != 202:
            raise unexpected(answer, self._place)
        location, start = self._location(answer), 0
        for attempt in range(_ATTEMPTS):
            try:
                location = self._patch(location, content, start, body)
                break
            except _BROKEN:
                if attempt == _ATTEMPTS - 1:
                    raise
                location, start = self._progress(location)
        mark = "&" if "?" in location else "?"
        url = f"{location}{mark}digest={content.digest.replace(':', '%3A')}"
        answer = self._http.ask("PUT", url, headers={"Content-Length": "0"})
        if answer.status_code != 201:
            raise unexpected(answer, self._place)

    def _patch(
        self, location: str, content: Descriptor, start: int, body: Callable[[int], Iterator[bytes]]
    ) -> str:
        length = content.size - start
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(length)}
        headers |= {"Content-Range": f"{start}-{content.size - 1}"}
        if length <= 0:
            return location
        answer = self._http.ask("PATCH", location, headers=headers, data=_Sized(body(start), length))
        if answer.status_code != 202:
            raise unexpected(answer, self._place)
        return self._location(answer)

    def _progress(self, location: str) -> tuple[str, int]:
        """Where an upload that was cut goes on: its new location and how many bytes have come."""
        answer = self._http.ask("GET", location)
        if answer.status_code != 204:
            raise unexpected(answer, self._place)
        _, dash, last = answer.headers.get("Range", "").rpartition("-")
        came = int(last) + 1 if dash and last.isdigit() and last != "0" else 0
        return self._location(answer), came

    def _location(self, answer: requests.Response) -> str:
        return urljoin(answer.url, answer.headers.get("Location", ""))

    def _limited(self, answer: requests.Response, limit: int, name: str) -> bytes:
        found = b""
        for data in pieces(answer):
            found += data
            if len(found) > limit:
                message = f"{name} has more than {limit:,} bytes"
                raise StbuildError(message, where=self._place, exit_code=1)
        return found


class _Sized:
    """A body of known length that is made as it is sent: without the length it would be sent in chunks."""

    def __init__(self, pieces: Iterator[bytes], length: int) -> None:
        self._pieces, self._length = pieces, length

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces


def pieces(answer: requests.Response) -> Iterator[bytes]:
    """The body as it came: what a server has packed is not unpacked, so that nothing grows on the way."""
    try:
        while data := answer.raw.read(CHUNK, decode_content=False):
            yield data
    except urllib3.exceptions.HTTPError as error:
        raise requests.ConnectionError(error) from error
