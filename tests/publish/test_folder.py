"""Publishing to a folder, fetching from it and running what was fetched, without a registry."""

import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from stbuild.errors import StbuildError
from stbuild.publish import provenance
from stbuild.publish.attestations import BOM_PREDICATE, read_envelopes, write_envelopes
from stbuild.publish.fetching import fetch
from stbuild.publish.oci import MANIFEST_TYPE, describe
from stbuild.publish.reference import Reference
from stbuild.publish.seen import seen_file
from stbuild.publish.signing import Statement, sign, verify
from stbuild.publish.storage import open_storage
from stbuild.publish.verifying import verify as verify_all
from tests.publish.sample import KeyPair, contents, key_pair, put, sample


@pytest.fixture
def out(tmp_path: Path) -> Reference:
    """A folder to publish to."""
    return Reference(folder=tmp_path / "out")


def statements(reference: Reference, digest: str, key: KeyPair) -> dict[str, Statement]:
    """What is attested of an artefact, by the type of its predicate."""
    with open_storage(reference) as storage:
        envelopes = read_envelopes(storage, digest, "")
    found = [verify(each, [key.signer.public_key], "") for each in envelopes]
    return {each.predicate_type: each for each in found if each is not None}


def test_what_is_published_is_fetched(tmp_path: Path, out: Reference, key: KeyPair) -> None:
    built = sample(tmp_path / "built")
    done = put(built, out, key)
    assert (done.serial, done.new, done.files) == (1, True, 5)
    found = fetch(out, key=key.public)
    assert {each.path: each.blob.read_bytes() for each in built.files} == {
        path: data for path, data in contents(found.folder).items() if not path.startswith(".")
    }
    assert found.artefact.release is not None and found.artefact.release.serial == 1
    assert verify_all(str(out.folder), key=key.public).digest == done.reference.digest
    assert verify_all(str(found.folder), key=key.public).digest == done.reference.digest


def test_two_publications_of_the_same_are_the_same_folder(tmp_path: Path, key: KeyPair) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for number, folder in enumerate(folders):
        put(sample(tmp_path / f"built{number}"), Reference(folder=folder), key)
    one, two = map(contents, folders)
    assert one == two


def test_the_same_again_is_no_new_version_and_a_change_is(
    tmp_path: Path, out: Reference, key: KeyPair
) -> None:
    first = put(sample(tmp_path / "a"), out, key)
    before = contents(tmp_path / "out")
    again = put(sample(tmp_path / "b"), out, key)
    assert (again.serial, again.new, again.reference) == (1, False, first.reference)
    assert contents(tmp_path / "out") == before
    other = put(sample(tmp_path / "c", image=b"another"), out, key)
    assert (other.serial, other.new) == (2, True)
    back = put(sample(tmp_path / "d"), out, key)
    assert (back.serial, back.new, back.reference) == (3, True, first.reference)
    assert fetch(out, key=key.public).artefact.release == verify_all(str(out.folder), key=None).release


def test_statements_are_replaced_and_those_of_other_tags_and_keys_stay(
    tmp_path: Path, out: Reference, key: KeyPair
) -> None:
    done = put(sample(tmp_path / "a"), out, key)
    digest, stranger = done.reference.digest, key_pair(tmp_path / "stranger.pub")
    with open_storage(out, write=True) as storage:
        manifest = storage.manifest(digest)
        assert manifest is not None
        foreign = sign(Statement(subject=digest, name="x", predicate_type="y", predicate={}), stranger.signer)
        known = [*read_envelopes(storage, digest, ""), foreign]
        write_envelopes(storage, describe(manifest, MANIFEST_TYPE), known)
    for number in range(3):
        other = replace(sample(tmp_path / f"b{number}"), commit=f"{number:040}")
        put(other, out, key)
    put(sample(tmp_path / "c"), replace(out, tag="stable"), key)
    with open_storage(out) as storage:
        envelopes = read_envelopes(storage, digest, "")
    assert foreign in envelopes
    assert len(envelopes) == 1 + 2 + 2
    assert fetch(out, key=key.public).artefact.attested.newest("stable") is not None


def test_equal_contents_are_stored_once(tmp_path: Path, out: Reference, key: KeyPair) -> None:
    put(sample(tmp_path / "a"), out, key)
    before = set(contents(tmp_path / "out"))
    put(sample(tmp_path / "b", image=b"another"), out, key)
    new = [data for name, data in contents(tmp_path / "out").items() if name not in before]
    # The xclbin and the bundle's manifest, which names it; the artefact's manifest; its statements.
    assert len(new) == 2 + 1 + 3 + 1


def test_the_statements_are_in_toto_and_the_bill_is_cyclonedx(
    tmp_path: Path, out: Reference, key: KeyPair
) -> None:
    done = put(sample(tmp_path / "a"), out, key)
    digest = done.reference.digest
    found = statements(out, digest, key)
    assert {each.subject for each in found.values()} == {digest}
    bill = json.dumps(found[BOM_PREDICATE].predicate)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill) is None
    told = found[provenance.PREDICATE].predicate
    assert told["buildDefinition"]["externalParameters"]["cpu"] == "x86-64-v3"
    assert told["buildDefinition"]["resolvedDependencies"] == [
        {"name": "small/model.py", "digest": {"sha256": "2" * 64}, "annotations": {"kind": "source"}}
    ]


def test_weights_are_named_and_not_sent(tmp_path: Path, out: Reference, key: KeyPair) -> None:
    built = sample(tmp_path / "a")
    weights = Reference(folder=tmp_path / "weights")
    with pytest.raises(StbuildError, match="nothing is published here"):
        put(built, out, key, weights_from=weights)
    put(built, weights, key)
    done = put(built, out, key, weights_from=weights)
    assert done.files == 4
    (blob,) = [each for each in built.files if each.path == "bundle/weights/weights_0.bin"]
    assert not (tmp_path / "out/blobs/sha256" / blob.content.hex).exists()
    bill = statements(out, done.reference.digest, key)[BOM_PREDICATE].predicate
    digests = {each["name"]: each["hashes"][0]["content"] for each in bill["components"] if "hashes" in each}
    assert digests[blob.path] == blob.content.hex
    found = fetch(out, key=key.public)
    assert (found.bundle / "weights/weights_0.bin").read_bytes() == blob.blob.read_bytes()
    verify_all(str(out.folder), key=None)
    (tmp_path / "weights/blobs/sha256" / blob.content.hex).unlink()
    with pytest.raises(StbuildError, match="is missing"):
        verify_all(str(out.folder), key=None)


def test_a_place_without_these_weights_is_refused(tmp_path: Path, out: Reference, key: KeyPair) -> None:
    weights = Reference(folder=tmp_path / "weights")
    put(sample(tmp_path / "a", weights=b"other weights" * 64), weights, key)
    with pytest.raises(StbuildError, match="which these weights need"):
        put(sample(tmp_path / "b"), out, key, weights_from=weights)


def test_by_digest_what_is_in_the_cache_needs_no_publisher(
    tmp_path: Path, out: Reference, key: KeyPair
) -> None:
    done = put(sample(tmp_path / "a"), out, key)
    fetch(done.reference, key=key.public)
    (tmp_path / "out").rename(tmp_path / "gone")
    found = fetch(done.reference, key=None)
    (found.bundle / "small.xclbin").chmod(0o644)
    (found.bundle / "small.xclbin").write_bytes(b"tampered")
    with pytest.raises(StbuildError, match="the file was changed"):
        fetch(done.reference, key=None)


def test_fetch_to_a_folder_of_its_own(tmp_path: Path, out: Reference, key: KeyPair) -> None:
    put(sample(tmp_path / "a"), out, key)
    found = fetch(out, key=key.public, to=tmp_path / "mine")
    assert found.bundle == tmp_path / "mine/bundle"
    verify_all(str(tmp_path / "mine"), key=key.public)
    with pytest.raises(StbuildError, match="the folder is there already"):
        fetch(out, key=key.public, to=tmp_path / "mine")


@pytest.mark.parametrize("what", ["too many", "too few", "a link", "a pipe"])
def test_a_folder_with_other_files_is_refused(
    tmp_path: Path, out: Reference, key: KeyPair, what: str
) -> None:
    put(sample(tmp_path / "a"), out, key)
    found = fetch(out, key=key.public, to=tmp_path / "mine")
    cpp = found.folder / "hls/kernels/k.cpp"
    if what == "too many":
        (found.bundle / "chat_template.jinja").write_text("{{ 1 }}")
    else:
        cpp.unlink()
    if what == "a link":
        (tmp_path / "elsewhere.cpp").write_text("void k() {}\n")
        cpp.symlink_to(tmp_path / "elsewhere.cpp")
    if what == "a pipe":
        os.mkfifo(cpp)
    sentence = r"is not a file of the artefact|is missing|cannot be read|this is no plain file"
    with pytest.raises(StbuildError, match=rf"({sentence}).* \(remove the folder and fetch it again\)"):
        verify_all(str(found.folder), key=key.public)


def test_a_key_is_needed_once_and_another_one_is_refused(
    tmp_path: Path, out: Reference, key: KeyPair
) -> None:
    put(sample(tmp_path / "a"), out, key)
    seen_file().unlink()
    with pytest.raises(StbuildError, match="no key is known for this place"):
        fetch(out, key=None)
    stranger = key_pair(tmp_path / "stranger.pub")
    with pytest.raises(StbuildError, match=r"no provenance of sha256:\w+ is signed with the key"):
        fetch(out, key=stranger.public)
    fetch(out, key=key.public)
    fetch(out, key=None)
    with pytest.raises(
        StbuildError, match="the key is not the one with which this place was verified before"
    ):
        fetch(out, key=stranger.public)
    with pytest.raises(StbuildError, match="the key is not the one"):
        put(sample(tmp_path / "b"), out, stranger)


@pytest.mark.parametrize("text", ["", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "\0"])
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, out: Reference, key: KeyPair, text: str) -> None:
    put(sample(tmp_path / "a"), out, key)
    (tmp_path / "bad.pub").write_text(text)
    with pytest.raises(StbuildError, match=r"bad\.pub: this is not a public key in PEM \(make one: openssl"):
        fetch(out, key=tmp_path / "bad.pub")


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, key: KeyPair) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/cat.jpg").touch()
    with pytest.raises(StbuildError, match="holds something else"):
        put(sample(tmp_path / "a"), Reference(folder=tmp_path / "photos"), key)
    with pytest.raises(StbuildError, match="nothing is published here"):
        fetch(Reference(folder=tmp_path / "photos"), key=key.public)
    with pytest.raises(StbuildError, match="nothing is published here"):
        verify_all(str(tmp_path / "photos"), key=key.public)
    assert contents(tmp_path / "photos") == {"cat.jpg": b""}


def test_a_tag_that_does_not_exist(tmp_path: Path, out: Reference, key: KeyPair) -> None:
    put(sample(tmp_path / "a"), out, key)
    with pytest.raises(StbuildError, match=r"out:v9: there is nothing here"):
        fetch(Reference(folder=out.folder, tag="v9"), key=key.public)


@contextmanager
def no_room() -> Iterator[None]:
    """No file takes more than a kilobyte: a full disk, as far as what is written can tell."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_told_by_the_folder_that_is_full(
    tmp_path: Path, out: Reference, key: KeyPair, home: Path
) -> None:
    built = sample(tmp_path / "a")
    with no_room(), pytest.raises(StbuildError, match=f"no room is left to write in {out.folder} "):
        put(built, out, key)
    put(built, out, key)
    with no_room(), pytest.raises(StbuildError, match=r"no room is left to write in .*/stbuild-verify-"):
        verify_all(str(out.folder), key=key.public)
    with no_room(), pytest.raises(StbuildError, match=f"no room is left to write in {home}/cache/fetched "):
        fetch(out, key=key.public)
    found = fetch(out, key=key.public)
    there = tmp_path / "mine"
    with no_room(), pytest.raises(StbuildError, match=f"no room is left to write in {there} "):
        fetch(out.at(found.artefact.digest), key=key.public, to=there)
    assert not there.exists()


@pytest.mark.parametrize("name", ["index.json", "oci-layout"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(
    tmp_path: Path, out: Reference, key: KeyPair, name: str
) -> None:
    put(sample(tmp_path / "a"), out, key)
    assert out.folder is not None
    (out.folder / name).unlink()
    os.mkfifo(out.folder / name)
    with pytest.raises(StbuildError, match=r"the file is missing|nothing is published here"):
        fetch(out, key=key.public)
