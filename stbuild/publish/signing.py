"""in-toto statements in signed DSSE envelopes: signing, and what a verified envelope says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import Error as SigningError
from securesystemslib.signer import Key, Signer

from stbuild.errors import StbuildError
from stbuild.publish.oci import canonical, parse_json

STATEMENT = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
ENVELOPE_TYPE = "application/vnd.dsse.envelope.v1+json"


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What a signature says of a subject: the digest of an artefact's manifest."""

    subject: str
    name: str
    predicate_type: str
    predicate: Mapping[str, Any]

    def encode(self) -> bytes:
        """As JSON; equal statements have equal bytes."""
        digest = {"sha256": self.subject.removeprefix("sha256:")}
        return canonical(
            {
                "_type": STATEMENT,
                "subject": [{"name": self.name, "digest": digest}],
                "predicateType": self.predicate_type,
                "predicate": self.predicate,
            }
        )


def sign(statement: Statement, signer: Signer) -> bytes:
    """The envelope of a statement, as JSON."""
    envelope = Envelope(statement.encode(), PAYLOAD_TYPE, {})
    envelope.sign(signer)
    return canonical(envelope.to_dict())


def verify(data: bytes, keys: Sequence[Key], where: str) -> Statement | None:
    """What an envelope says, or None if none of the keys has signed it as it is; a damaged one is refused."""
    try:
        fields = parse_json(data)
        envelope = Envelope.from_dict(fields)
        if envelope.payload_type != PAYLOAD_TYPE:
            raise ValueError(f"its payload is {envelope.payload_type[:80]!r}")
        if canonical(envelope.to_dict()) != data or not any(_signed(envelope, key) for key in keys):
            return None
        return _statement(parse_json(envelope.payload))
    except (ValueError, KeyError, TypeError, AttributeError, SigningError) as error:
        raise StbuildError(f"an envelope is damaged: {error}", where=where, exit_code=1) from None


def predicate_type_of(data: bytes) -> str:
    """What kind of statement an envelope says that it holds, unverified; '' if it does not say."""
    try:
        statement = parse_json(Envelope.from_dict(parse_json(data)).payload)
        return str(statement.get("predicateType", ""))
    except (ValueError, KeyError, TypeError, AttributeError, SigningError):
        return ""


def _signed(envelope: Envelope, key: Key) -> bool:
    text = envelope.pae()
    for signature in envelope.signatures.values():
        try:
            key.verify_signature(signature, text)
        except SigningError:
            continue
        return signature.keyid == key.keyid
    return False


def _statement(data: Mapping[str, Any]) -> Statement:
    if data.get("_type") != STATEMENT:
        raise ValueError(f"it is not a statement of {STATEMENT}")
    (subject,) = data["subject"]
    kind, predicate = data["predicateType"], data["predicate"]
    if not isinstance(kind, str) or not isinstance(predicate, dict):
        raise ValueError("its predicate is not a map")
    digest = f"sha256:{subject['digest']['sha256']}"
    return Statement(subject=digest, name=str(subject["name"]), predicate_type=kind, predicate=predicate)
