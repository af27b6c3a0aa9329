"""Keys that are files, and signers by their URI, also a plugin's."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from stbuild.errors import StbuildError
from stbuild.publish.fetching import fetch
from stbuild.publish.keys import key_of_text, key_text, open_signer, read_public_key
from stbuild.publish.reference import Reference
from tests.publish.sample import KeyPair, key_pair, put, sample

PLUGIN = """
from securesystemslib.signer import CryptoSigner, Signer
from cryptography.hazmat.primitives.serialization import load_pem_private_key


class LabSigner(Signer):
    def __init__(self, inner):
        self.inner = inner

    @classmethod
    def from_priv_key_uri(cls, priv_key_uri, public_key, secrets_handler=None):
        path = priv_key_uri.partition(":")[2]
        return cls(CryptoSigner(load_pem_private_key(open(path, "rb").read(), None), public_key))

    @property
    def public_key(self):
        return self.inner.public_key

    def sign(self, payload):
        return self.inner.sign(payload)
"""


def test_a_file_and_its_public_key(tmp_path: Path, key: KeyPair) -> None:
    (tmp_path / "mine.key").write_bytes(key.private_pem)
    signer = open_signer(str(tmp_path / "mine.key"), None)
    assert signer.public_key == read_public_key(key.public)
    assert key_of_text(key_text(signer.public_key)) == signer.public_key
    (tmp_path / "key.json").write_text(key_text(signer.public_key))
    assert read_public_key(tmp_path / "key.json") == signer.public_key


def test_a_signer_of_a_plugin(tmp_path: Path, key: KeyPair, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin, private = tmp_path / "plugin", tmp_path / "mine.key"
    private.write_bytes(key.private_pem)
    about = plugin / "lab_signer-1.0.dist-info"
    about.mkdir(parents=True)
    (plugin / "lab_signer.py").write_text(PLUGIN)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: lab-signer\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[stbuild.signers]\nlab = lab_signer:LabSigner\n")
    monkeypatch.syspath_prepend(str(plugin))
    signer = open_signer(f"lab:{private}", str(key.public))
    out = Reference(folder=tmp_path / "out")
    put(sample(tmp_path / "built"), out, KeyPair(signer=signer, public=key.public))
    fetch(out, key=key.public)


def test_a_key_of_another_pair_opens_no_signer(tmp_path: Path, key: KeyPair) -> None:
    (tmp_path / "mine.key").write_bytes(key.private_pem)
    other = key_pair(tmp_path / "other.pub")
    with pytest.raises(StbuildError, match="--key: file2 opens no signer"):
        open_signer(f"file2:{tmp_path / 'mine.key'}", str(other.public))
    open_signer(f"file2:{tmp_path / 'mine.key'}", str(key.public))


def test_a_key_with_a_password_is_refused(tmp_path: Path) -> None:
    hidden = BestAvailableEncryption(b"secret")
    data = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, hidden)
    (tmp_path / "mine.key").write_bytes(data)
    with pytest.raises(StbuildError, match=r"mine\.key: the key has a password"):
        open_signer(str(tmp_path / "mine.key"), None)


def test_a_scheme_that_nobody_knows(tmp_path: Path) -> None:
    with pytest.raises(StbuildError, match=r"there is no signer 'gcpkm' \(did you mean 'gcpkms'\?\)"):
        open_signer("gcpkm:projects/x", None)
