"""The signed statements of an artefact, kept beside it under the tag that cosign gives to attestations."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from securesystemslib.signer import Key

from stbuild.errors import StbuildError
from stbuild.publish import provenance, release
from stbuild.publish.oci import Descriptor, Manifest, decode_manifest, describe
from stbuild.publish.provenance import Asked, Made
from stbuild.publish.release import Release
from stbuild.publish.signing import ENVELOPE_TYPE, Statement, predicate_type_of, verify
from stbuild.publish.storage import Storage

ARTIFACT_TYPE = "application/vnd.stbuild.attestations.v1"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
EMPTY = b"{}"
BOM_PREDICATE = "https://cyclonedx.org/bom"
COUNT_LIMIT = 200
BYTES_LIMIT = 64 << 20
_NEEDED = {
    provenance.PREDICATE: "provenance",
    BOM_PREDICATE: "bill of materials",
    release.PREDICATE: "release",
}
_COSIGN = {"dev.cosignproject.cosign/signature": ""}


@dataclass(frozen=True, kw_only=True)
class Attested:
    """What the statements of a trusted key say of one artefact."""

    asked: Asked
    made: tuple[Made, ...]
    releases: tuple[Release, ...]

    def newest(self, tag: str) -> Release | None:
        """The newest release of the artefact under a tag."""
        return max((r for r in self.releases if r.tag == tag), key=lambda r: r.serial, default=None)


def attestation_tag(digest: str) -> str:
    """The tag of an artefact's statements."""
    return f"{digest.replace(':', '-')}.att"


def read_envelopes(storage: Storage, digest: str, where: str) -> list[bytes]:
    """The envelopes of an artefact, unverified; none if nothing is attached to it."""
    data = storage.manifest(attestation_tag(digest))
    if data is None:
        return []
    manifest = decode_manifest(data, f"{where}, attestations")
    if len(manifest.layers) > COUNT_LIMIT or sum(layer.size for layer in manifest.layers) > BYTES_LIMIT:
        message = f"it has more than {COUNT_LIMIT} attestations, or more than {BYTES_LIMIT >> 20} MiB of them"
        raise StbuildError(message, where=where, exit_code=1)
    return [storage.get_bytes(layer) for layer in manifest.layers if layer.media_type == ENVELOPE_TYPE]


def write_envelopes(storage: Storage, subject: Descriptor, envelopes: Sequence[bytes]) -> None:
    """Attach envelopes to an artefact in the place of those that are attached."""
    layers = []
    for data in envelopes:
        content = describe(data, ENVELOPE_TYPE, predicateType=predicate_type_of(data), **_COSIGN)
        storage.put_bytes(content, data)
        layers.append(content)
    config = describe(EMPTY, EMPTY_TYPE)
    storage.put_bytes(config, EMPTY)
    manifest = Manifest(artifact_type=ARTIFACT_TYPE, config=config, layers=tuple(layers), subject=subject)
    storage.put_manifest(manifest, attestation_tag(subject.digest))


def check(envelopes: Iterable[bytes], digest: str, keys: Sequence[Key], where: str) -> Attested:
    """What is attested of the artefact; without one of the three kinds it is refused.

    Statements of other keys count for nothing: anybody may attach them.
    """
    found: dict[str, list[Statement]] = {}
    for data in envelopes:
        statement = verify(data, keys, where)
        if statement is not None and statement.subject == digest:
            found.setdefault(statement.predicate_type, []).append(statement)
    for kind, what in _NEEDED.items():
        if kind not in found:
            message = f"no {what} of {digest} is signed with the key"
            hint = "is it the publisher's key? give it by --key FILE.pub"
            raise StbuildError(message, where=where, hint=hint, exit_code=1)
    return _attested(found, where)


def _attested(found: dict[str, list[Statement]], where: str) -> Attested:
    newest: Any = found[provenance.PREDICATE][-1].predicate
    try:
        releases = tuple(release.release_of(each.predicate) for each in found[release.PREDICATE])
        return Attested(asked=provenance.asked_of(newest), made=provenance.made_by(newest), releases=releases)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        message = f"a signed statement is not as this stbuild writes it: {error}"
        raise StbuildError(message, where=where, exit_code=1) from None
