"""Where something is published: what is understood, and what is refused in a sentence."""

from pathlib import Path

import pytest

from stbuild.errors import StbuildError
from stbuild.publish.reference import is_reference, parse_reference

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "shown", "scheme"),
    [
        ("oci://ghcr.io/me/smollm2", "oci://ghcr.io/me/smollm2:latest", "https"),
        ("oci://ghcr.io/me/smollm2:v1.2", "oci://ghcr.io/me/smollm2:v1.2", "https"),
        ("oci://localhost:5000/x:t", "oci://localhost:5000/x:t", "http"),
        ("oci://127.0.0.1:5000/x", "oci://127.0.0.1:5000/x:latest", "http"),
        ("oci+http://lab:5000/a/b", "oci://lab:5000/a/b:latest", "http"),
        ("oci://GHCR.io/me/x", "oci://ghcr.io/me/x:latest", "https"),
        ("oci://LocalHost:5000/x", "oci://localhost:5000/x:latest", "http"),
        (f"oci://h.io/a@{DIGEST}", f"oci://h.io/a@{DIGEST}", "https"),
        (f"oci://h.io/a:v1@{DIGEST}", f"oci://h.io/a@{DIGEST}", "https"),
        ("/srv/out", "oci:/srv/out:latest", "https"),
        ("/srv/out:v2", "oci:/srv/out:v2", "https"),
        ("oci:/srv/out:v2", "oci:/srv/out:v2", "https"),
    ],
)
def test_what_is_understood(text: str, shown: str, scheme: str) -> None:
    reference = parse_reference(text)
    assert (str(reference), reference.scheme) == (shown, scheme)
    assert is_reference(text) == text.startswith("oci")


def test_a_relative_folder_starts_where_the_command_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_reference("out").folder == tmp_path / "out"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("oci://", "it names no host"),
        ("oci://host", "'host' is not a host|no repository|is not a host"),
        ("oci://h.io/Big", "'Big' is not a repository"),
        ("oci://h.io/a:", "'' is not a tag"),
        ("oci://h.io/a:b c", "'b c' is not a tag"),
        ("oci://h.io/a@sha256:12", "'sha256:12' is not sha256: and 64 hexadecimal digits"),
        ("oci://h.io/a:sha256-" + "a" * 64 + ".att", "is not a tag"),
        ("oci://h.io:65536/a", "65536 is not a port"),
        ("oci:", "it names no folder"),
        ("", "it names no folder"),
    ],
)
def test_what_is_refused(text: str, why: str) -> None:
    with pytest.raises(StbuildError, match=why):
        parse_reference(text)


@pytest.mark.parametrize(
    "text", ["oci://me:S3cret@h.io/a:v1", "oci+http://S3cret@h.io/a", "oci://me:S3cret@h.io"]
)
def test_a_password_in_a_place_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(StbuildError, match="takes no user and no password") as told:
        parse_reference(text)
    assert "S3cret" not in str(told.value)


def test_a_folder_has_one_name_however_it_is_spelt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real/out").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.chdir(tmp_path / "real/out")
    for text in (".", "../out", str(tmp_path / "link/out"), f"oci:{tmp_path}/link/../real/out"):
        assert parse_reference(text).place == f"oci:{tmp_path}/real/out"
