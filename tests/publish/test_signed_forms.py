"""What is signed and still not as it must be is refused: with a stolen key no file leaves its place."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stbuild.publish.attestations import attestation_tag
from stbuild.publish.fetched import FOLDER
from stbuild.publish.fetching import fetch
from stbuild.publish.oci import (
    FILE_TYPE,
    TITLE,
    canonical,
)
from stbuild.publish.provenance import PREDICATE
from stbuild.publish.release import PREDICATE as RELEASE
from stbuild.publish.signing import Statement, sign
from tests.publish.tampered import Target, refused

PATHS = (
    "../evil", "bundle/../../evil", "/etc/evil", "bundle//x", "./x", "bundle/.", "", "a\0b", "a\nb",
    "a\\..\\b", ".publication/manifest.json", ".bashrc", "x" * 500, "bundle", "bundle/manifest.json/x",
    "bundle/manifest.json",
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_leaves_its_place_is_refused_even_if_it_is_signed(
    copy: Callable[[int], Target], home: Path, path: str
) -> None:
    target = copy(0)
    evil = replace(target.add(b"evil"), annotations={TITLE: path})
    target.put(replace(target.manifest(), layers=(*target.manifest().layers, evil)), sign_again=True)
    assert "the artefact is refused: " in refused(target, home)


@pytest.mark.parametrize(
    ("path", "place", "sentence"),
    [
        ("bundle/manifest.json", "oci:/nowhere", "two of its files have the same path"),
        ("bundle/manifest.json/x", "oci:/nowhere", "'bundle/manifest.json/x' lies below another file"),
        ("bundle", "oci:/nowhere", "lies below another file"),
        ("../x", "oci:/nowhere", "'../x' of a file is not one within a folder"),
        ("bundle/x", "", "it names no folder"),
        ("bundle/x", "oci://h.io/BIG", "'BIG' is not a repository"),
    ],
)
def test_what_is_to_be_had_elsewhere_is_a_file_of_its_own_in_a_place(
    copy: Callable[[int], Target], home: Path, path: str, place: str, sentence: str
) -> None:
    target, manifest = copy(0), copy(1).manifest()
    fields = json.loads(target.blob(manifest.config.digest).read_bytes())
    there = {"path": path, "digest": "sha256:" + "1" * 64, "size": 3}
    config = target.add(canonical({**fields, "weightsFrom": place, "elsewhere": [there]}))
    config = replace(config, media_type=manifest.config.media_type)
    target.put(replace(manifest, config=config), sign_again=True)
    assert sentence in refused(target, home)


def test_a_packed_layer_is_refused_even_if_it_is_signed(copy: Callable[[int], Target], home: Path) -> None:
    target = copy(0)
    bomb = target.add(gzip.compress(bytes(1 << 24)))
    layer = replace(
        bomb, media_type="application/vnd.oci.image.layer.v1.tar+gzip", annotations={TITLE: "bomb"}
    )
    target.put(replace(target.manifest(), layers=(*target.manifest().layers, layer)), sign_again=True)
    assert f"a layer is of type 'application/vnd.oci.image.layer.v1.tar+gzip', not {FILE_TYPE}" in refused(
        target, home
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda m: {**m, "schemaVersion": 1}, "it is not of type"),
        (
            lambda m: {**m, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"},
            "it is not of type",
        ),
        (lambda m: {**m, "artifactType": "application/vnd.other"}, "not a bundle of stbuild"),
        (lambda m: {**m, "layers": None}, "it has no list of layers"),
        (lambda m: {**m, "layers": [3]}, "its layer is not a map"),
        (lambda m: {**m, "layers": [{**m["layers"][0], "size": -1}]}, "size -1 is not from 0"),
        (lambda m: {**m, "layers": [{**m["layers"][0], "size": 1 << 60}]}, "is not from 0"),
        (lambda m: {**m, "layers": [{**m["layers"][0], "size": "1"}]}, "lacks mediaType, digest or size"),
        (lambda m: {**m, "layers": [{**m["layers"][0], "digest": "md5:1"}]}, "is not sha256"),
        (lambda m: {**m, "layers": m["layers"] * 3000}, "more than 10000"),
        (lambda m: {**m, "layers": m["layers"] * 2}, "two of its files have the same path"),
    ],
)
def test_a_signed_manifest_of_another_form_is_refused(
    copy: Callable[[int], Target], home: Path, change: Callable[[Any], Any], why: str
) -> None:
    target = copy(0)
    data = canonical(change(json.loads(target.manifest().encode())))
    target.put(data, sign_again=True)
    assert why in refused(target, home)


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"a":1,"a":2}', b"3"])
def test_a_manifest_that_is_none_is_refused(copy: Callable[[int], Target], home: Path, text: bytes) -> None:
    target = copy(0)
    target.put(text, sign_again=True)
    assert "the manifest is damaged: " in refused(target, home)


def test_statements_of_strangers_beside_the_publishers_do_not_count(
    copy: Callable[[int], Target],
) -> None:
    target = copy(0)
    lie = Statement(
        subject=target.digest,
        name="x",
        predicate_type=RELEASE,
        predicate={"name": "small-u55c-sw_emu", "tag": "latest", "serial": 99},
    )
    target.attach([sign(lie, target.stranger.signer), *target.envelopes()])
    release = fetch(target.reference, key=target.key.public).artefact.release
    assert release is not None
    assert release.serial == 1


@pytest.mark.parametrize(
    "predicate",
    [{}, {"buildDefinition": {"buildType": "https://example.org/other"}}, {"buildDefinition": 3}],
)
def test_a_provenance_of_another_form_is_refused(
    copy: Callable[[int], Target], home: Path, predicate: dict[str, Any]
) -> None:
    target = copy(0)
    told = Statement(subject=target.digest, name="x", predicate_type=PREDICATE, predicate=predicate)
    target.attach([*target.envelopes(), sign(told, target.key.signer)])
    assert "a signed statement is not as this stbuild writes it" in refused(target, home)


def test_a_flood_of_attestations_is_refused(copy: Callable[[int], Target], home: Path) -> None:
    target = copy(0)
    target.attach([f"{number}".encode() for number in range(300)])
    assert "more than 200 attestations" in refused(target, home)


def test_the_tag_of_attestations_is_cosigns() -> None:
    assert attestation_tag("sha256:ab") == "sha256-ab.att"
    assert FOLDER.startswith(".")
