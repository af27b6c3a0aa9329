"""OCI image manifests and descriptors as values, read strictly: what is not as we write it is refused."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from stbuild.errors import StbuildError

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
ARTIFACT_TYPE = "application/vnd.stbuild.bundle.v1"
CONFIG_TYPE = "application/vnd.stbuild.bundle.config.v1+json"
FILE_TYPE = "application/vnd.stbuild.file.v1"
TITLE = "org.opencontainers.image.title"
"""The annotation by which ORAS names a layer's file."""
MANIFEST_LIMIT = 4 << 20
"""The size that the distribution specification asks of registries to take; no larger manifest is read."""
FILES_LIMIT = 10_000
BYTES_LIMIT = 1 << 40
_PATH_LIMIT = 400
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_BAD_PARTS = {"", ".", ".."}


@dataclass(frozen=True, kw_only=True)
class Descriptor:
    """A content by media type, digest (`sha256:…`) and size."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _DIGEST.fullmatch(self.digest):
            raise ValueError(f"digest {self.digest[:80]!r} is not sha256: and 64 hexadecimal digits")
        if not 0 <= self.size <= BYTES_LIMIT:
            raise ValueError(f"size {self.size} is not from 0 to {BYTES_LIMIT}")

    @property
    def hex(self) -> str:
        """The digest without its algorithm."""
        return self.digest.partition(":")[2]

    def data(self) -> dict[str, Any]:
        """As JSON has it."""
        found: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        return {**found, "annotations": dict(self.annotations)} if self.annotations else found


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """An artefact: a config, and one layer a file. `subject` is the artefact that it is about, if any."""

    artifact_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    subject: Descriptor | None = None

    def encode(self) -> bytes:
        """The bytes whose digest names the artefact; equal manifests have equal bytes."""
        about = {"subject": self.subject.data()} if self.subject else {}
        return canonical(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "artifactType": self.artifact_type,
                "config": self.config.data(),
                "layers": [layer.data() for layer in self.layers],
                **about,
            }
        )

    @property
    def files(self) -> dict[str, Descriptor]:
        """The layers by the path of their file."""
        return {layer.annotations[TITLE]: layer for layer in self.layers}


def canonical(value: object) -> bytes:
    """JSON with sorted keys and without spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest_of(data: bytes) -> str:
    """The name of a content."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def describe(data: bytes, media_type: str, **annotations: str) -> Descriptor:
    """The descriptor of a content at hand."""
    return Descriptor(media_type=media_type, digest=digest_of(data), size=len(data), annotations=annotations)


def decode_manifest(data: bytes, where: str) -> Manifest:
    """The manifest of these bytes, of whatever artefact."""
    try:
        text = parse_json(data)
        if text.get("schemaVersion") != 2 or text.get("mediaType") != MANIFEST_TYPE:
            raise ValueError(f"it is not of type {MANIFEST_TYPE}")
        layers = tuple(_descriptor(layer, "layer") for layer in _list(text.get("layers")))
        config = _descriptor(text.get("config"), "config")
        return Manifest(artifact_type=str(text.get("artifactType", "")), config=config, layers=layers)
    except ValueError as error:
        raise StbuildError(f"the manifest is damaged: {error}", where=where, exit_code=1) from None


def bundle_manifest(data: bytes, where: str) -> Manifest:
    """The manifest of a published bundle: every layer is a plain file with a path of its own."""
    manifest = decode_manifest(data, where)
    try:
        if manifest.artifact_type != ARTIFACT_TYPE or manifest.config.media_type != CONFIG_TYPE:
            kind = manifest.artifact_type or manifest.config.media_type
            raise ValueError(f"it is an artefact of type {kind[:80]!r}, not a bundle of stbuild")
        if len(manifest.layers) > FILES_LIMIT:
            raise ValueError(f"it has {len(manifest.layers)} files, more than {FILES_LIMIT}")
        for layer in manifest.layers:
            if layer.media_type != FILE_TYPE:
                raise ValueError(f"a layer is of type {layer.media_type[:80]!r}, not {FILE_TYPE}")
        refuse_paths([layer.annotations.get(TITLE, "") for layer in manifest.layers])
    except ValueError as error:
        raise StbuildError(f"the artefact is refused: {error}", where=where, exit_code=1) from None
    return manifest


def refuse_paths(paths: list[str]) -> None:
    """Raise ValueError for a path that leaves its folder, is given twice, or lies below another file."""
    known = set(paths)
    if len(known) != len(paths):
        raise ValueError("two of its files have the same path")
    for path in paths:
        parts = path.split("/")
        if _BAD_PARTS.intersection(parts) or "\\" in path or not path.isprintable():
            raise ValueError(f"the path {path[:80]!r} of a file is not one within a folder")
        if len(path.encode()) > _PATH_LIMIT or parts[0].startswith("."):
            raise ValueError(f"the path {path[:80]!r} of a file is too long or hidden")
        if known.intersection(str(parent) for parent in PurePosixPath(path).parents):
            raise ValueError(f"the path {path[:80]!r} lies below another file")


def parse_json(data: bytes) -> dict[str, Any]:
    """A map of JSON; anything else, also one with a key twice or nested too deeply, is a ValueError."""
    try:
        value = json.loads(data, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None
    if not isinstance(value, dict):
        raise ValueError("it is not a map")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is given twice")
    return found


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("it has no list of layers")
    return value


def _descriptor(value: object, what: str) -> Descriptor:
    if not isinstance(value, dict):
        raise ValueError(f"its {what} is not a map")
    kind, digest, size = (value.get(name) for name in ("mediaType", "digest", "size"))
    annotations = value.get("annotations", {})
    if not (isinstance(kind, str) and isinstance(digest, str) and type(size) is int):
        raise ValueError(f"its {what} lacks mediaType, digest or size")
    if not isinstance(annotations, dict) or not all(isinstance(text, str) for text in annotations.values()):
        raise ValueError(f"the annotations of its {what} are not texts")
    return Descriptor(media_type=kind, digest=digest, size=size, annotations=annotations)
