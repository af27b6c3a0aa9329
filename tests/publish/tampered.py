"""Kinds of tampering with what is published in a folder."""

import base64
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from stbuild.errors import StbuildError
from stbuild.publish.attestations import read_envelopes, write_envelopes
from stbuild.publish.fetching import fetch
from stbuild.publish.oci import (
    FILE_TYPE,
    MANIFEST_TYPE,
    Descriptor,
    Manifest,
    bundle_manifest,
    canonical,
    describe,
    digest_of,
)
from stbuild.publish.reference import Reference
from stbuild.publish.seen import seen_file
from stbuild.publish.signing import sign, verify
from stbuild.publish.storage import open_storage
from tests.publish.sample import KeyPair


@dataclass(frozen=True, kw_only=True)
class Target:
    """Something published, in a folder that the test may change, and who signed it."""

    reference: Reference
    digest: str
    key: KeyPair
    stranger: KeyPair
    draw: random.Random

    @property
    def root(self) -> Path:
        """The OCI image layout."""
        assert self.reference.folder is not None
        return self.reference.folder

    def blob(self, digest: str) -> Path:
        """The file of a content."""
        return self.root / "blobs/sha256" / digest.removeprefix("sha256:")

    def manifest(self) -> Manifest:
        """The artefact's manifest."""
        return bundle_manifest(self.blob(self.digest).read_bytes(), "")

    def put(self, manifest: Manifest | bytes, *, sign_again: bool = False) -> None:
        """Let the tag lead to another manifest, to which the statements of the old one are attached."""
        data = manifest if isinstance(manifest, bytes) else manifest.encode()
        with open_storage(self.reference, write=True) as storage:
            envelopes = read_envelopes(storage, self.digest, "")
            if sign_again:
                envelopes = [self._again(each, digest_of(data)) for each in envelopes]
            write_envelopes(storage, describe(data, MANIFEST_TYPE), envelopes)
        self._tag(data)

    def attach(self, envelopes: list[bytes]) -> None:
        """Put other statements in the place of the artefact's."""
        with open_storage(self.reference, write=True) as storage:
            write_envelopes(storage, describe(self.blob(self.digest).read_bytes(), MANIFEST_TYPE), envelopes)

    def envelopes(self) -> list[bytes]:
        """What is attached."""
        with open_storage(self.reference) as storage:
            return read_envelopes(storage, self.digest, "")

    def add(self, data: bytes) -> Descriptor:
        """A new content."""
        content = describe(data, FILE_TYPE)
        self.blob(content.digest).write_bytes(data)
        return content

    def _tag(self, data: bytes) -> None:
        """Let the tag lead to these bytes, whatever they are."""
        content = self.add(data)
        path = self.root / "index.json"
        index = json.loads(path.read_text())
        for entry in index["manifests"]:
            if entry["annotations"]["org.opencontainers.image.ref.name"] == self.reference.tag:
                entry |= {"digest": content.digest, "size": content.size}
        path.write_text(json.dumps(index))

    def _again(self, envelope: bytes, digest: str) -> bytes:
        statement = verify(envelope, [self.key.signer.public_key], "")
        assert statement is not None
        return sign(replace(statement, subject=digest), self.key.signer)


def flip(path: Path, draw: random.Random) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    path.chmod(0o644)
    path.write_bytes(data)


def flipped_layer(target: Target) -> None:
    flip(target.blob(target.draw.choice(target.manifest().layers).digest), target.draw)


def cut_layer(target: Target) -> None:
    path = target.blob(target.draw.choice(target.manifest().layers).digest)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[: target.draw.randrange(path.stat().st_size)])


def longer_layer(target: Target) -> None:
    path = target.blob(target.draw.choice(target.manifest().layers).digest)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + target.draw.randbytes(target.draw.randrange(1, 5000)))


def missing_layer(target: Target) -> None:
    target.blob(target.draw.choice(target.manifest().layers).digest).unlink()


def flipped_manifest(target: Target) -> None:
    flip(target.blob(target.digest), target.draw)


def flipped_config(target: Target) -> None:
    flip(target.blob(target.manifest().config.digest), target.draw)


def flipped_envelope(target: Target) -> None:
    """A bit of one of the statements; the others are whole."""
    envelopes = target.envelopes()
    number = target.draw.randrange(len(envelopes))
    data = bytearray(envelopes[number])
    data[target.draw.randrange(len(data))] ^= 1 << target.draw.randrange(8)
    target.attach([*envelopes[:number], bytes(data), *envelopes[number + 1 :]])


def flipped_signed_text(target: Target) -> None:
    """A digit of what was signed, and the envelope is well-formed."""
    changed = []
    for each in target.envelopes():
        fields = json.loads(each)
        payload = bytearray(base64.b64decode(fields["payload"]))
        place = payload.index(b'"sha256":"') + 10 + target.draw.randrange(64)
        payload[place] = ord("0") if payload[place] != ord("0") else ord("1")
        changed.append(canonical({**fields, "payload": base64.b64encode(payload).decode()}))
    target.attach(changed)


def swapped_layers(target: Target) -> None:
    """Two layers change their paths."""
    layers = list(target.manifest().layers)
    a, b = target.draw.sample(range(len(layers)), 2)
    layers[a], layers[b] = (
        replace(layers[a], annotations=layers[b].annotations),
        replace(layers[b], annotations=layers[a].annotations),
    )
    target.put(replace(target.manifest(), layers=tuple(layers)))


def another_file(target: Target) -> None:
    """The manifest names another content for one of its files."""
    layers = list(target.manifest().layers)
    number = target.draw.randrange(len(layers))
    content = target.add(target.draw.randbytes(layers[number].size))
    layers[number] = replace(content, annotations=layers[number].annotations)
    target.put(replace(target.manifest(), layers=tuple(layers)))


def replaced_key(target: Target) -> None:
    """Everything is signed again, some of it changed, by somebody else."""
    another_file(target)
    data = tagged(target)
    old = [verify(each, [target.key.signer.public_key], "") for each in target.envelopes()]
    signed = [sign(replace(e, subject=digest_of(data)), target.stranger.signer) for e in old if e]
    with open_storage(target.reference, write=True) as storage:
        write_envelopes(storage, describe(data, MANIFEST_TYPE), signed)


def borrowed_key_name(target: Target) -> None:
    """A stranger's signature under the name of the publisher's key."""
    replaced_key(target)
    name = target.key.signer.public_key.keyid
    with open_storage(target.reference, write=True) as storage:
        digest = digest_of(tagged(target))
        forged = []
        for each in read_envelopes(storage, digest, ""):
            fields = json.loads(each)
            fields["signatures"][0]["keyid"] = name
            forged.append(canonical(fields))
        write_envelopes(storage, describe(tagged(target), MANIFEST_TYPE), forged)


def fewer_statements(target: Target) -> None:
    """One of the three is left out."""
    envelopes = target.envelopes()
    del envelopes[target.draw.randrange(len(envelopes))]
    target.attach(envelopes)


def tagged(target: Target) -> bytes:
    """The manifest that the tag leads to."""
    with open_storage(target.reference) as storage:
        data = storage.manifest(target.reference.tag)
    assert data is not None
    return data


KINDS: tuple[Callable[[Target], None], ...] = (
    flipped_layer, cut_layer, longer_layer, missing_layer, flipped_manifest, flipped_config, flipped_envelope,
    flipped_signed_text, swapped_layers, another_file, replaced_key, borrowed_key_name, fewer_statements,
)  # fmt: skip


def refused(target: Target, home: Path) -> str:
    """What fetching says; nothing is left that could be run."""
    with pytest.raises(StbuildError) as told:
        fetch(target.reference, key=target.key.public)
    assert not list((home / "cache/fetched").glob("artefacts/*"))
    assert not seen_file().exists()
    return str(told.value)
