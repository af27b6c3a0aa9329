"""Stores what was built: contents first, then the manifest, its attestations, and last the tag."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from securesystemslib.signer import Signer

from stbuild.errors import StbuildError
from stbuild.publish import provenance, release
from stbuild.publish.attestations import BOM_PREDICATE, read_envelopes, write_envelopes
from stbuild.publish.built import Built
from stbuild.publish.config import BundleConfig
from stbuild.publish.content import WEIGHTS, PublishedFile
from stbuild.publish.keys import key_text
from stbuild.publish.oci import (
    ARTIFACT_TYPE,
    CONFIG_TYPE,
    MANIFEST_TYPE,
    Descriptor,
    Manifest,
    describe,
    digest_of,
)
from stbuild.publish.provenance_writing import BUILDER
from stbuild.publish.provenance_writing import provenance as provenance_of
from stbuild.publish.reference import Reference
from stbuild.publish.release import Release
from stbuild.publish.sbom import bill_of_materials
from stbuild.publish.seen import recall, refuse_other_key, remember
from stbuild.publish.signing import Statement, sign, verify
from stbuild.publish.storage import Storage, open_storage
from stbuild.publish.transfer import Counter, Listener, each_at_once


@dataclass(frozen=True, kw_only=True)
class Publication:
    """Where to publish and who signs; with `weights_from` the weights are named there and not sent."""

    reference: Reference
    signer: Signer
    weights_from: Reference | None = None
    builder: str = BUILDER


@dataclass(frozen=True, kw_only=True)
class Published:
    """What came of it; `new` says that the tag leads there only now."""

    reference: Reference
    serial: int
    new: bool
    files: int
    bytes: int


def store(storage: Storage, built: Built, publication: Publication, listener: Listener) -> Published:
    """Store and sign; the same artefact under the same tag again is the same version."""
    reference, signer = publication.reference, publication.signer
    refuse_other_key(reference.place, key_text(signer.public_key))
    files, config = _divided(built, publication.weights_from)
    _send(storage, files, listener)
    data = config.encode()
    manifest = Manifest(
        artifact_type=ARTIFACT_TYPE,
        config=describe(data, CONFIG_TYPE),
        layers=tuple(file.content for file in files),
    )
    storage.put_bytes(manifest.config, data)
    digest = digest_of(manifest.encode())
    storage.put_manifest(manifest, digest)
    chosen, new = _release(storage, config, publication, digest)
    _attest(storage, built, publication, manifest, config.elsewhere, chosen)
    storage.put_manifest(manifest, reference.tag)
    remember(reference.place, key_text(signer.public_key), chosen, digest)
    count = sum(file.content.size for file in files)
    return Published(
        reference=reference.at(digest), serial=chosen.serial, new=new, files=len(files), bytes=count
    )


def _divided(built: Built, weights_from: Reference | None) -> tuple[list[PublishedFile], BundleConfig]:
    """The files to send, and the config, which names those that are to be had elsewhere."""
    if weights_from is None:
        return list(built.files), built.config
    weights = [file.content for file in built.files if file.path.startswith(WEIGHTS)]
    with open_storage(weights_from) as other:
        for content in weights:
            if not other.has(content):
                message = f"it has no {content.digest}, which these weights need"
                hint = "publish there with the weights first"
                raise StbuildError(message, where=weights_from.place, hint=hint, exit_code=1)
    kept = [file for file in built.files if not file.path.startswith(WEIGHTS)]
    config = replace(built.config, weights_from=weights_from.place, elsewhere=tuple(weights))
    return kept, config


def _send(storage: Storage, files: Sequence[PublishedFile], listener: Listener) -> None:
    """Each content once, large ones first."""
    contents = {file.content.digest: file for file in files}
    order = sorted(contents.values(), key=lambda file: (-file.content.size, file.path))
    counter = Counter(total=sum(file.content.size for file in order), listener=listener)
    each_at_once(lambda file: storage.put(file.content, file.blob, counter), order)


def _release(
    storage: Storage, config: BundleConfig, publication: Publication, digest: str
) -> tuple[Release, bool]:
    """The version of the tag: that which it has if it leads here already, else the next."""
    reference = publication.reference
    known = recall(reference.place)
    last = known.tags.get(reference.tag)
    serial, there = (last.serial, last.digest) if last else (0, "")
    current = storage.manifest(reference.tag)
    if current is not None:
        published = _newest(storage, digest_of(current), publication)
        serial, there = max((serial, there), (published, digest_of(current)))
    new = there != digest or serial == 0
    return Release(name=config.release_name, tag=reference.tag, serial=serial + new), new


def _newest(storage: Storage, digest: str, publication: Publication) -> int:
    """The newest version that the key has signed of an artefact under the tag; 0 if none."""
    where = str(publication.reference)
    statements = (
        verify(data, [publication.signer.public_key], where)
        for data in read_envelopes(storage, digest, where)
    )
    releases = [
        release.release_of(each.predicate)
        for each in statements
        if each is not None and each.subject == digest and each.predicate_type == release.PREDICATE
    ]
    return max((each.serial for each in releases if each.tag == publication.reference.tag), default=0)


def _attest(
    storage: Storage,
    built: Built,
    publication: Publication,
    manifest: Manifest,
    elsewhere: tuple[Descriptor, ...],
    chosen: Release,
) -> None:
    """Attach what is said of the artefact, in the place of what the same key said before."""
    subject, name = describe(manifest.encode(), MANIFEST_TYPE), chosen.name
    digest = subject.digest
    told = provenance_of(
        built.asked, built.materials, built.steps, builder=publication.builder, commit=built.commit
    )
    bill = bill_of_materials(name, digest, (*manifest.layers, *elsewhere), built.materials)
    predicates = ((provenance.PREDICATE, told), (BOM_PREDICATE, bill), (release.PREDICATE, chosen.data()))
    where = str(publication.reference)
    known = read_envelopes(storage, digest, where)
    envelopes = dict.fromkeys(each for each in known if not _is_replaced(each, publication, chosen))
    for kind, predicate in predicates:
        statement = Statement(subject=digest, name=name, predicate_type=kind, predicate=predicate)
        envelopes[sign(statement, publication.signer)] = None
    write_envelopes(storage, subject, list(envelopes))


def _is_replaced(envelope: bytes, publication: Publication, chosen: Release) -> bool:
    """Whether a statement is our own and a new one takes its place; releases of other tags stay."""
    statement = verify(envelope, [publication.signer.public_key], str(publication.reference))
    if statement is None:
        return False
    return statement.predicate_type != release.PREDICATE or statement.predicate.get("tag") == chosen.tag
