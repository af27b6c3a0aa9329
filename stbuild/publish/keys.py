"""Keys: files in PEM, or signers of securesystemslib and of plugins by their URI."""

from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from securesystemslib.exceptions import Error as SigningError
from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, CryptoSigner, Key, Signer, SSlibKey

from stbuild.errors import StbuildError, did_you_mean
from stbuild.publish.oci import canonical, parse_json

PLUGINS = "stbuild.signers"
"""The entry-point group whose names are schemes and whose values are `Signer` classes."""
MAKE_KEY = "openssl genpkey -algorithm ed25519 -out mine.key; openssl pkey -in mine.key -pubout -out mine.pub"


def open_signer(key: str, public: str | None) -> Signer:
    """The signer of a PEM file, or of a URI (gcpkms:, hsm:, a plugin's scheme, …) with its public key."""
    scheme, colon, _ = key.partition(":")
    if not colon or Path(key).exists():
        return _file_signer(Path(key).expanduser())
    kind = _signer_class(scheme)
    if public is None:
        raise StbuildError(f"--key {scheme}:… needs its public key", hint="give --public-key FILE.pub")
    known = read_public_key(Path(public))
    try:
        return kind.from_priv_key_uri(key, known)
    except (SigningError, ValueError, OSError, ImportError) as error:
        raise StbuildError(f"--key: {scheme} opens no signer: {error}", exit_code=1) from error


def read_public_key(path: Path) -> Key:
    """The public key of a file: PEM, or securesystemslib's JSON for keys that PEM has no form for."""
    data = _read(path)
    try:
        if data.startswith(b"{"):
            return key_of_text(data.decode())
        return SSlibKey.from_crypto(load_pem_public_key(data))
    except (ValueError, KeyError, TypeError, UnsupportedAlgorithm, SigningError):
        message = "this is not a public key in PEM"
        raise StbuildError(message, where=str(path), hint=f"make one: {MAKE_KEY}") from None


def key_text(key: Key) -> str:
    """A public key as JSON, to be kept."""
    return canonical({"keyid": key.keyid, **key.to_dict()}).decode()


def key_of_text(text: str) -> Key:
    """The inverse of `key_text`."""
    fields = parse_json(text.encode())
    return Key.from_dict(fields.pop("keyid"), fields)


def _signer_class(scheme: str) -> type[Signer]:
    """The class of a scheme: a plugin's, else one of securesystemslib."""
    plugins = {entry.name: entry for entry in entry_points(group=PLUGINS)}
    known: dict[str, Any] = {**SIGNER_FOR_URI_SCHEME, **plugins}
    if scheme not in known:
        raise StbuildError(f"--key: there is no signer {scheme!r}", hint=did_you_mean(scheme, known))
    kind: type[Signer] = plugins[scheme].load() if scheme in plugins else known[scheme]
    return kind


def _file_signer(path: Path) -> Signer:
    try:
        return CryptoSigner(load_pem_private_key(_read(path), None))
    except TypeError:
        hint = "take the password off (openssl pkey), or keep the key in a module: hsm:"
        raise StbuildError("the key has a password", where=str(path), hint=hint) from None
    except (ValueError, UnsupportedAlgorithm, SigningError):
        message = "this is not a private key in PEM"
        raise StbuildError(message, where=str(path), hint=f"make one: {MAKE_KEY}") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"the key cannot be read: {error.strerror}"
        raise StbuildError(message, where=str(path), hint=f"make one: {MAKE_KEY}") from None
