"""A repository of a registry, by the OCI distribution specification."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urljoin

import requests
import urllib3

from stbuild.errors import StbuildError
from stbuild.publish.checked import CHUNK, CheckedFile, check_bytes, wrong_content
from stbuild.publish.http import Http, unexpected
from stbuild.publish.oci import (
    INDEX_TYPE,
    MANIFEST_LIMIT,
    MANIFEST_TYPE,
    Descriptor,
    Manifest,
    canonical,
    describe,
    digest_of,
    parse_json,
)
from stbuild.publish.reference import Reference
from stbuild.publish.storage import Progress

_ATTEMPTS = 4
"""How often a content is taken up again after its connection was cut."""
T = TypeVar("T")
_BROKEN = (requests.ConnectionError, requests.Timeout)


class Registry:
    """One repository over HTTP."""

    def __init__(self, reference: Reference) -> None:
        self._place = reference.place
        self._http = Http(reference)
        self._base = f"{reference.scheme}://{reference.host}/v2/{reference.repository}"

    def manifest(self, name: str) -> bytes | None:
        """The manifest with a tag or digest."""
        return self._manifest(name, MANIFEST_TYPE)

    def _manifest(self, name: str, media_type: str) -> bytes | None:
        url = f"{self._base}/manifests/{name}"
        with self._http.ask("GET", url, headers={"Accept": media_type}, stream=True) as answer:
            if answer.status_code == 404:
                return None
            if answer.status_code != 200:
                raise unexpected(answer, self._named(name))
            return self._limited(answer, MANIFEST_LIMIT, name)

    def put_manifest(self, manifest: Manifest, name: str) -> None:
        """Store a manifest; where the registry keeps no list of what refers to its subject, we do."""
        answer = self._put_manifest(manifest.encode(), name, MANIFEST_TYPE)
        if manifest.subject is not None and "OCI-Subject" not in answer.headers:
            self._refer(manifest.subject, manifest)

    def _put_manifest(self, data: bytes, name: str, media_type: str) -> requests.Response:
        url = f"{self._base}/manifests/{name}"
        answer = _again(lambda: self._http.ask("PUT", url, headers={"Content-Type": media_type}, data=data))
        if answer.status_code != 201:
            raise unexpected(answer, self._named(name))
        told = answer.headers.get("Docker-Content-Digest", digest_of(data))
        if told != digest_of(data):
            raise StbuildError("the registry stored another manifest", where=self._place, exit_code=1)
        return answer

    def _named(self, name: str) -> str:
        return f"{self._place}{'@' if ':' in name else ':'}{name}"

    def _referrers(self, tag: str) -> list[dict[str, Any]]:
        data = self._manifest(tag, INDEX_TYPE)
        try:
            found = [] if data is None else parse_json(data)["manifests"]
            return [each for each in found if isinstance(each, dict)]
        except (ValueError, KeyError, TypeError):
            raise StbuildError("the list of referrers is damaged", where=f"{self._place}:{tag}") from None

    def _refer(self, subject: Descriptor, manifest: Manifest) -> None:
        """Keep the list of referrers under the tag that the specification gives it."""
        tag = subject.digest.replace(":", "-")
        known = self._referrers(tag)
        entry = describe(manifest.encode(), MANIFEST_TYPE).data() | {"artifactType": manifest.artifact_type}
        others = [each for each in known if each.get("artifactType") != manifest.artifact_type]
        index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [*others, entry]}
        self._put_manifest(canonical(index), tag, INDEX_TYPE)

    def check_writable(self) -> None:
        """Open an upload, which the registry forgets in time: cancelling it needs the right to delete."""
        self._opened_upload()

    def has(self, content: Descriptor) -> bool:
        """Whether a blob is there."""
        answer = self._http.ask("HEAD", f"{self._base}/blobs/{content.digest}")
        if answer.status_code not in (200, 404):
            raise unexpected(answer, self._place)
        return answer.status_code == 200

    def put(self, content: Descriptor, source: Path, tell: Progress) -> None:
        """Send a file, unless it is there."""
        if self.has(content):
            tell(content.size)
            return
        self._send(content, lambda: _Body(source, content.size, tell))

    def put_bytes(self, content: Descriptor, data: bytes) -> None:
        """Send a small content, unless it is there."""
        if not self.has(content):
            self._send(content, lambda: data)

    def get(self, content: Descriptor, target: Path, tell: Progress) -> None:
        """Get a blob; what a former attempt got, also one of another process, is not asked for again."""
        where = f"{self._place}@{content.digest}"
        with CheckedFile(content, target, where) as checked:
            tell(checked.written)
            _again(lambda: self._receive(content, checked, tell))
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

    def _send(self, content: Descriptor, body: Callable[[], Any]) -> None:
        """Send a content whole; where its connection is cut, it is begun again."""
        _again(lambda: self._upload(content, body()))

    def _opened_upload(self) -> str:
        """Where the bytes of a new upload go."""
        answer = self._http.ask("POST", f"{self._base}/blobs/uploads/", headers={"Content-Length": "0"})
        if answer.status_code != 202:
            raise unexpected(answer, self._place)
        try:
            return urljoin(answer.url, answer.headers["Location"])
        except (KeyError, ValueError):
            message = "the registry opens an upload without saying where"
            raise StbuildError(message, where=self._place, exit_code=1) from None

    def _upload(self, content: Descriptor, body: Any) -> None:
        """Open an upload and close it with the bytes and the digest, which the registry checks."""
        location = self._opened_upload()
        mark = "&" if "?" in location else "?"
        url = f"{location}{mark}digest={content.digest.replace(':', '%3A')}"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(content.size)}
        answer = self._http.ask("PUT", url, headers=headers, data=body)
        if answer.status_code != 201:
            raise unexpected(answer, self._place)

    def _limited(self, answer: requests.Response, limit: int, name: str) -> bytes:
        found = b""
        for data in pieces(answer):
            found += data
            if len(found) > limit:
                message = f"{name} has more than {limit:,} bytes"
                raise StbuildError(message, where=self._place, exit_code=1)
        return found


class _Body:
    """A file of known length that is read as it is sent: without the length it would be sent in chunks."""

    def __init__(self, source: Path, length: int, tell: Progress) -> None:
        self._source, self._length, self._tell = source, length, tell

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        with self._source.open("rb") as stream:
            while data := stream.read(CHUNK):
                yield data
                self._tell(len(data))


def _again(work: Callable[[], T]) -> T:
    """Do the work, also again while its connection is cut."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return work()
        except _BROKEN:
            continue
    return work()


def pieces(answer: requests.Response) -> Iterator[bytes]:
    """The body as it came: what a server has packed is not unpacked, so that nothing grows on the way."""
    try:
        while data := answer.raw.read(CHUNK, decode_content=False):
            yield data
    except urllib3.exceptions.HTTPError as error:
        raise requests.ConnectionError(error) from error
