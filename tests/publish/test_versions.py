"""An older version, or another artefact, in the place of the newest."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from stbuild.errors import StbuildError
from stbuild.publish.fetching import fetch
from stbuild.publish.reference import Reference
from stbuild.publish.seen import seen_file
from tests.publish.sample import KeyPair, put, sample


def test_an_older_version_is_refused_where_a_newer_one_was_seen(tmp_path: Path, key: KeyPair) -> None:
    reference = Reference(folder=tmp_path / "out")
    old = put(sample(tmp_path / "a"), reference, key)
    index = (tmp_path / "out/index.json").read_bytes()
    put(sample(tmp_path / "b", image=b"mended"), reference, key)
    fetch(reference, key=key.public)
    (tmp_path / "out/index.json").write_bytes(index)
    with pytest.raises(StbuildError, match="this is version 1, and version 2 was seen here before"):
        fetch(reference, key=None)
    assert fetch(old.reference, key=None).artefact.digest == old.reference.digest


def test_a_pinned_digest_takes_no_other_artefact(tmp_path: Path, key: KeyPair) -> None:
    reference = Reference(folder=tmp_path / "out")
    old = put(sample(tmp_path / "a"), reference, key)
    new = put(sample(tmp_path / "b", image=b"mended"), reference, key)
    blobs = tmp_path / "out/blobs/sha256"
    target = blobs / new.reference.digest.removeprefix("sha256:")
    target.chmod(0o644)
    target.write_bytes((blobs / old.reference.digest.removeprefix("sha256:")).read_bytes())
    with pytest.raises(StbuildError, match=f"gives another artefact, {old.reference.digest}"):
        fetch(new.reference, key=key.public)


def test_a_version_under_another_tag_or_of_another_project_is_refused(tmp_path: Path, key: KeyPair) -> None:
    out = tmp_path / "out"
    done = put(sample(tmp_path / "a"), Reference(folder=out, tag="nightly"), key)
    index = json.loads((out / "index.json").read_text())
    index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"] = "latest"
    (out / "index.json").write_text(json.dumps(index))
    with pytest.raises(StbuildError, match=r"has not signed sha256:.* as 'latest' of small-u55c-sw_emu"):
        fetch(Reference(folder=out), key=key.public)
    other = sample(tmp_path / "b")
    elsewhere = Reference(folder=tmp_path / "elsewhere")
    put(replace(other, config=replace(other.config, name="large")), elsewhere, key)
    shutil.rmtree(out)
    (tmp_path / "elsewhere").rename(out)
    with pytest.raises(StbuildError, match="this is large-u55c-sw_emu, where small-u55c-sw_emu was before"):
        fetch(Reference(folder=out), key=key.public)
    assert done.serial == 1


def test_the_same_number_with_another_content_is_refused(tmp_path: Path, key: KeyPair) -> None:
    reference = Reference(folder=tmp_path / "out")
    put(sample(tmp_path / "a"), reference, key)
    fetch(reference, key=key.public)
    kept = seen_file().read_bytes()
    seen_file().unlink()
    shutil.rmtree(tmp_path / "out")
    put(sample(tmp_path / "b", image=b"another"), reference, key)
    seen_file().write_bytes(kept)
    with pytest.raises(StbuildError, match="version 1 has another digest than when it was seen before"):
        fetch(reference, key=key.public)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"PLACE": 3}',
        '{"PLACE": {"key": "x", "name": "", "tags": {}}}',
        '{"PLACE": {"key": "{}", "name": "", "tags": {}}}',
        '{"PLACE": {"key": 7, "name": "", "tags": {}}}',
        '{"PLACE": {"key": "", "name": "", "tags": {"latest": {"serial": "a", "digest": "b"}}}}',
        '{"PLACE": {"key": "", "name": "", "tags": {"latest": {"serial": 1, "digest": 2}}}}',
    ],
)
@pytest.mark.parametrize("given", [True, False])
def test_a_damaged_memory_of_places_is_a_sentence(
    tmp_path: Path, key: KeyPair, text: str, given: bool
) -> None:
    out = Reference(folder=tmp_path / "out")
    put(sample(tmp_path / "a"), out, key)
    seen_file().write_text(text.replace("PLACE", out.place))
    with pytest.raises(StbuildError, match="the file is damaged; remove it"):
        fetch(out, key=key.public if given else None)
