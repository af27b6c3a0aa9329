"""A folder in the OCI image layout: blobs by digest, manifests by tag in index.json."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stbuild.engine.store.disk import told_when_full
from stbuild.errors import StbuildError
from stbuild.publish.checked import CHUNK, CheckedFile, check_bytes, wrong_content
from stbuild.publish.locked import locked
from stbuild.publish.oci import (
    INDEX_TYPE,
    MANIFEST_LIMIT,
    MANIFEST_TYPE,
    Descriptor,
    Manifest,
    describe,
    parse_json,
)
from stbuild.publish.storage import Progress

_LAYOUT, _INDEX, _BLOBS = "oci-layout", "index.json", "blobs/sha256"
_VERSION = {"imageLayoutVersion": "1.0.0"}
_NAME = "org.opencontainers.image.ref.name"


@dataclass(frozen=True, kw_only=True)
class LayoutFolder:
    """An OCI image layout, as skopeo and `oras --oci-layout` read and write it."""

    root: Path

    @classmethod
    @contextmanager
    def open(cls, root: Path, *, write: bool) -> "Iterator[LayoutFolder]":
        """The layout in `root`; to be written, it is made if there is nothing yet, and nobody else writes."""
        if not write:
            yield cls._checked(root)
            return
        _refuse_other(root)
        root.mkdir(parents=True, exist_ok=True)
        with locked(root), told_when_full(str(root)):
            _make(root)
            yield cls._checked(root)

    @classmethod
    def _checked(cls, root: Path) -> "LayoutFolder":
        found = root / _LAYOUT
        if not found.is_file():
            hint = "`stbuild publish LABEL FOLDER` makes one" if not root.exists() else "it has no oci-layout"
            raise StbuildError("nothing is published here", where=str(root), hint=hint)
        if _json(found).get("imageLayoutVersion") != "1.0.0":
            raise StbuildError("this is no OCI image layout of version 1.0.0", where=str(found), exit_code=1)
        return cls(root=root)

    def manifest(self, name: str) -> bytes | None:
        """The manifest with a tag or digest."""
        if name.startswith("sha256:"):
            return self._read(name.removeprefix("sha256:"), MANIFEST_LIMIT)
        for entry in self._entries():
            if entry.get("annotations", {}).get(_NAME) == name:
                content = _content(entry, self.root / _INDEX)
                data = self._read(content.hex, MANIFEST_LIMIT)
                return None if data is None else check_bytes(content, data, str(self.root))
        return None

    def put_manifest(self, manifest: Manifest, name: str) -> None:
        """Store a manifest; a tag leads to it from then on."""
        content = describe(manifest.encode(), MANIFEST_TYPE)
        self.put_bytes(content, manifest.encode())
        if name.startswith("sha256:"):
            return
        entry = {**content.data(), "artifactType": manifest.artifact_type, "annotations": {_NAME: name}}
        others = [each for each in self._entries() if each.get("annotations", {}).get(_NAME) != name]
        entries = sorted([*others, entry], key=lambda each: str(each.get("annotations", {}).get(_NAME)))
        _write(self.root / _INDEX, {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries})

    def check_writable(self) -> None:
        """Nothing: opening it to be written has made it."""

    def has(self, content: Descriptor) -> bool:
        """Whether a blob is there and of the right size."""
        try:
            return self._blob(content.hex).stat().st_size == content.size
        except FileNotFoundError:
            return False

    def put(self, content: Descriptor, source: Path, tell: Progress) -> None:
        """Copy a file in, by reflink where the file system can."""
        if not self.has(content):
            with source.open("rb") as stream, self._taking(content) as checked:
                while data := stream.read(CHUNK):
                    checked.write(data)
        tell(content.size)

    def put_bytes(self, content: Descriptor, data: bytes) -> None:
        """Store a small content."""
        if not self.has(content):
            with self._taking(content) as checked:
                checked.write(data)

    def get(self, content: Descriptor, target: Path, tell: Progress) -> None:
        """Copy a blob out."""
        blob = self._blob(content.hex)
        if not blob.is_file():
            raise wrong_content(content, "is missing", str(self.root))
        with blob.open("rb") as stream, CheckedFile(content, target, str(blob)) as checked:
            checked.restart()
            while data := stream.read(CHUNK):
                checked.write(data)
                tell(len(data))
            checked.take()

    def get_bytes(self, content: Descriptor) -> bytes:
        """A small content, checked."""
        data = self._read(content.hex, content.size)
        if data is None:
            raise wrong_content(content, "is missing", str(self.root))
        return check_bytes(content, data, str(self._blob(content.hex)))

    @contextmanager
    def _taking(self, content: Descriptor) -> Iterator[CheckedFile]:
        blob = self._blob(content.hex)
        with CheckedFile(content, blob, str(blob)) as checked:
            checked.restart()
            yield checked
            checked.take()

    def _blob(self, digest: str) -> Path:
        return self.root / _BLOBS / digest

    def _read(self, digest: str, limit: int) -> bytes | None:
        """A blob's bytes, at most one more than `limit`."""
        blob = self._blob(digest)
        if not blob.is_file():
            return None
        with blob.open("rb") as stream:
            return stream.read(limit + 1)

    def _entries(self) -> list[dict[str, Any]]:
        path = self.root / _INDEX
        entries = _json(path).get("manifests")
        if not isinstance(entries, list) or not all(_is_entry(each) for each in entries):
            raise StbuildError(
                "the index is damaged: it has no list of manifests", where=str(path), exit_code=1
            )
        return entries


def _is_entry(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("annotations", {}), dict)


def _content(entry: dict[str, Any], where: Path) -> Descriptor:
    try:
        return Descriptor(media_type=MANIFEST_TYPE, digest=str(entry["digest"]), size=int(entry["size"]))
    except (KeyError, ValueError, TypeError) as error:
        raise StbuildError(f"the index is damaged: {error}", where=str(where), exit_code=1) from None


def _make(root: Path) -> None:
    """An empty layout, unless the folder is one."""
    if not (root / _LAYOUT).is_file():
        (root / _BLOBS).mkdir(parents=True, exist_ok=True)
        _write(root / _INDEX, {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": []})
        _write(root / _LAYOUT, _VERSION)


def _refuse_other(root: Path) -> None:
    """A folder of something else is left alone."""
    if (root / _LAYOUT).is_file():
        return
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        hint = "name an empty folder, one that does not exist, or one that was published to before"
        raise StbuildError(
            "this is no OCI image layout, and holds something else", where=str(root), hint=hint
        )


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise StbuildError("the file is missing", where=str(path), exit_code=1)
    try:
        with path.open("rb") as stream:
            data = stream.read(MANIFEST_LIMIT + 1)
        if len(data) > MANIFEST_LIMIT:
            raise ValueError(f"it has more than {MANIFEST_LIMIT:,} bytes")
        return parse_json(data)
    except ValueError as error:
        raise StbuildError(f"the file is damaged: {error}", where=str(path), exit_code=1) from None


def _write(path: Path, value: object) -> None:
    """Write JSON so that a reader sees the old or the new file."""
    handle, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(json.dumps(value, indent=1, sort_keys=True) + "\n")
        Path(name).chmod(0o644)
        shutil.move(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
