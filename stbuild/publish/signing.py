"""in-toto statements in signed DSSE envelopes: keys, signing, and what a verified envelope says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import Error as SigningError
from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, CryptoSigner, Key, Signer, SSlibKey

from stbuild.errors import StbuildError, did_you_mean
from stbuild.publish.oci import canonical, parse_json

STATEMENT = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
ENVELOPE_TYPE = "application/vnd.dsse.envelope.v1+json"
MAKE_KEY = "openssl genpkey -algorithm ed25519 -out mine.key; openssl pkey -in mine.key -pubout -out mine.pub"


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


def open_signer(key: str, public: str | None) -> Signer:
    """The signer of a PEM file, or of a URI of securesystemslib (gcpkms:, hsm:, …) with its public key."""
    scheme, colon, _ = key.partition(":")
    if not colon or Path(key).exists():
        return _file_signer(Path(key).expanduser())
    if scheme not in SIGNER_FOR_URI_SCHEME:
        raise StbuildError(
            f"--key: there is no signer {scheme!r}", hint=did_you_mean(scheme, SIGNER_FOR_URI_SCHEME)
        )
    if public is None:
        raise StbuildError(f"--key {scheme}:… needs its public key", hint="give --public-key FILE.pub")
    try:
        return Signer.from_priv_key_uri(key, read_public_key(Path(public)))
    except (SigningError, ValueError, OSError, ImportError) as error:
        raise StbuildError(f"--key: {scheme} opens no signer: {error}", exit_code=1) from error


def read_public_key(path: Path) -> SSlibKey:
    """The public key of a PEM file."""
    try:
        return SSlibKey.from_crypto(load_pem_public_key(_pem(path)))
    except (ValueError, UnsupportedAlgorithm, SigningError):
        raise StbuildError(
            "this is not a public key in PEM", where=str(path), hint=f"make one: {MAKE_KEY}"
        ) from None


def key_text(key: Key) -> str:
    """A public key as text, to be kept."""
    return canonical({"keyid": key.keyid, **key.to_dict()}).decode()


def key_of_text(text: str) -> Key:
    """The inverse of `key_text`."""
    fields = parse_json(text.encode())
    return Key.from_dict(fields.pop("keyid"), fields)


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


def _file_signer(path: Path) -> Signer:
    try:
        return CryptoSigner(load_pem_private_key(_pem(path), None))
    except TypeError:
        hint = "a key with a password is for a signer of its own, such as hsm:"
        raise StbuildError("the key has a password", where=str(path), hint=hint) from None
    except (ValueError, UnsupportedAlgorithm, SigningError):
        raise StbuildError(
            "this is not a private key in PEM", where=str(path), hint=f"make one: {MAKE_KEY}"
        ) from None


def _pem(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"the key cannot be read: {error.strerror}"
        raise StbuildError(message, where=str(path), hint=f"make one: {MAKE_KEY}") from None
