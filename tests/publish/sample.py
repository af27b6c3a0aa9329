"""A small bundle as a build would give it, to publish without building."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.signer import CryptoSigner, Signer

from stbuild.package import xclbin
from stbuild.package.bundle import Manifest, Model, Provenance, ScalarArgument, write_bundle
from stbuild.publish.built import Built
from stbuild.publish.config import BundleConfig
from stbuild.publish.content import PublishedFile
from stbuild.publish.materials import Material
from stbuild.publish.oci import FILE_TYPE, TITLE, describe
from stbuild.publish.provenance import Asked
from stbuild.publish.reference import Reference
from stbuild.publish.steps import Step
from stbuild.publish.storage import open_storage
from stbuild.publish.storing import Publication, Published, store
from tests.runtime.conftest import buffer, sample_xclbin

LABEL = "//small:small"


def manifest(weights: int) -> Manifest:
    """A manifest with one buffer of weights."""
    return Manifest(
        format=2,
        name="small",
        platform="u55c",
        target="sw_emu",
        xclbin="small.xclbin",
        model=Model(
            vocab_size=16,
            context=8,
            chunk=4,
            weights=Provenance.SYNTHETIC,
            weights_source="seed 0",
        ),
        arguments=(
            replace(buffer("weights_0", weights), file="weights/weights_0.bin"),
            ScalarArgument(scalar="n", bytes=4),
        ),
    )


def sample(folder: Path, *, image: bytes = b"image", weights: bytes = bytes(range(256)) * 16) -> Built:
    """What a build of a small project gives; its files lie in `folder`."""
    memory, bundle = folder / "memory", folder / "bundle"
    memory.mkdir(parents=True)
    (memory / "weights_0.bin").write_bytes(weights)
    chosen = manifest(len(weights))
    write_bundle(bundle, chosen, xclbin=xclbin.encode(sample_xclbin(image, chosen)), weights=memory)
    for name, text in (("partition/design.json", '{"engines": 1}\n'), ("hls/kernels/k.cpp", "void k() {}\n")):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(text)
    tops = ("bundle", "partition", "hls")
    paths = sorted(path for top in tops for path in (folder / top).rglob("*") if path.is_file())
    return Built(
        config=BundleConfig(name="small", platform="u55c", target="sw_emu", cpu="x86-64-v3"),
        files=tuple(_file(folder, path) for path in paths),
        steps=(step("//small:hls#Hls", {"small/hls/kernels": "1" * 64 + "t"}),),
        materials=(Material(kind="source", name="small/model.py", digest="2" * 64),),
        asked=Asked(label=LABEL, platform="u55c", target="sw_emu", cpu="x86-64-v3"),
        commit="",
    )


def step(name: str, outputs: dict[str, str]) -> Step:
    """An action of a build."""
    return Step(
        id=name, key="3" * 64, node=name, after=(), outputs=outputs,
        sources={}, externals={}, code={}, packages={}, tools={},
    )  # fmt: skip


def _file(folder: Path, path: Path) -> PublishedFile:
    content = describe(path.read_bytes(), FILE_TYPE, **{TITLE: str(path.relative_to(folder))})
    return PublishedFile(content=content, blob=path.resolve())


@dataclass(frozen=True, kw_only=True)
class KeyPair:
    """A signer, its public key as a file, and its private key in PEM where it has one."""

    signer: Signer
    public: Path
    private_pem: bytes = b""


def key_pair(path: Path) -> KeyPair:
    """A new ed25519 key."""
    private = Ed25519PrivateKey.generate()
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    path.write_bytes(pem)
    signer = CryptoSigner(private)
    return KeyPair(signer=signer, public=path, private_pem=signer.private_bytes)


def put(built: Built, reference: Reference, key: KeyPair, weights_from: Reference | None = None) -> Published:
    """Publish what was built."""
    with open_storage(reference, write=True) as storage:
        publication = Publication(reference=reference, signer=key.signer, weights_from=weights_from)
        return store(storage, built, publication, lambda *_: None)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    found = {}
    for place, _, files in os.walk(folder):
        for name in files:
            path = Path(place, name)
            found[str(path.relative_to(folder))] = path.read_bytes()
    return found
