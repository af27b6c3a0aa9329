"""From a reference to an artefact that a trusted key has signed, before any of its files is looked at."""

from dataclasses import dataclass, replace
from pathlib import Path

from securesystemslib.signer import Key

from stbuild.errors import StbuildError
from stbuild.publish.attestations import Attested, check, read_envelopes
from stbuild.publish.config import BundleConfig, decode_config
from stbuild.publish.keys import key_of_text, key_text, read_public_key
from stbuild.publish.layout_folder import LayoutFolder
from stbuild.publish.oci import MANIFEST_LIMIT, Descriptor, Manifest, bundle_manifest, digest_of, refuse_paths
from stbuild.publish.reference import Reference
from stbuild.publish.release import Release
from stbuild.publish.seen import recall, refuse_older, refuse_other_key
from stbuild.publish.storage import Storage


@dataclass(frozen=True, kw_only=True)
class Signed:
    """The signed parts of an artefact, as bytes: what is needed to verify its files without a network."""

    manifest: bytes
    config: bytes
    envelopes: tuple[bytes, ...]


@dataclass(frozen=True, kw_only=True)
class Artefact:
    """An artefact whose signatures hold. `release` is that of the tag by which it was asked for."""

    digest: str
    key: Key
    manifest: Manifest
    config: BundleConfig
    attested: Attested
    signed: Signed
    release: Release | None = None

    @property
    def files(self) -> dict[str, Descriptor]:
        """Every file by its path, also those that are to be had elsewhere."""
        return {**self.manifest.files, **self.config.files}

    @property
    def bytes(self) -> int:
        """The size of all files."""
        return sum(content.size for content in self.files.values())


def trusted_key(reference: Reference, given: Path | None) -> Key:
    """The publisher's key: the one that is given, which must be the one that was trusted before, if any."""
    if given is not None:
        key = read_public_key(given)
        refuse_other_key(reference.place, key_text(key))
        return key
    known = recall(reference.place).key
    if not known:
        if reference.folder is not None:
            with LayoutFolder.open(reference.folder, write=False):
                pass  # Where nothing is published, no key helps.
        hint = "give the publisher's by --key FILE.pub; it is remembered"
        raise StbuildError("no key is known for this place", where=reference.place, hint=hint)
    return key_of_text(known)


def resolve(storage: Storage, reference: Reference, key: Key) -> Artefact:
    """The artefact that a reference leads to, signed by the key and not older than what was seen before."""
    where = str(reference)
    data = storage.manifest(reference.digest or reference.tag)
    if data is None:
        raise StbuildError("there is nothing here", where=where, hint="is the name right?", exit_code=1)
    digest = digest_of(data)
    if reference.digest not in ("", digest):
        message = f"the registry gives another artefact, {digest}"
        raise StbuildError(message, where=where, exit_code=1)
    envelopes = tuple(read_envelopes(storage, digest, where))
    attested = check(envelopes, digest, [key], where)
    manifest = bundle_manifest(data, where)
    if manifest.config.size > MANIFEST_LIMIT:
        raise StbuildError("the artefact's config is too large", where=where, exit_code=1)
    config = storage.get_bytes(manifest.config)
    signed = Signed(manifest=data, config=config, envelopes=envelopes)
    found = artefact(signed, attested, key, where)
    if reference.digest:
        return found
    return replace(found, release=_release(found, reference))


def artefact(signed: Signed, attested: Attested, key: Key, where: str) -> Artefact:
    """The artefact of parts whose signatures were checked."""
    manifest, config = bundle_manifest(signed.manifest, where), decode_config(signed.config, where)
    try:
        refuse_paths([*manifest.files, *config.files])
    except ValueError as error:
        message = f"the artefact is refused, with what is to be had elsewhere: {error}"
        raise StbuildError(message, where=where, exit_code=1) from None
    return Artefact(
        digest=digest_of(signed.manifest),
        key=key,
        manifest=manifest,
        config=config,
        attested=attested,
        signed=signed,
    )


def _release(found: Artefact, reference: Reference) -> Release:
    release = found.attested.newest(reference.tag)
    if release is None or release.name != found.config.release_name:
        message = f"the key has not signed {found.digest} as {reference.tag!r} of {found.config.release_name}"
        hint = f"name it by {reference.place}@{found.digest} if you know this digest to be right"
        raise StbuildError(message, where=str(reference), hint=hint, exit_code=1)
    refuse_older(reference.place, release, found.digest)
    return release
