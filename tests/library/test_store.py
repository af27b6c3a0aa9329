"""Where projects of the library are kept: by their content below the cache, or in a folder that is named."""

from pathlib import Path

import pytest

from stbuild.errors import StbuildError
from stbuild.library.store import Filed, file_once


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("STBUILD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def project(text: str, *, digest: str = "", large: str = "", more: tuple[str, ...] = ()) -> Filed:
    def write(place: Path) -> None:
        (place / "BUILD.yaml").write_text(text)
        (place / "inner").mkdir()
        for name in more:
            (place / "inner" / name).write_text(name)

    def add(place: Path) -> None:
        (place / "inner/large").write_text(large)

    return Filed(name="p", write=write, digest=digest, add=add)


def test_equal_projects_share_a_folder(cache: Path) -> None:
    first = file_once(project("a", digest="1", large="x"))
    assert first.is_relative_to(cache / "models") and first.name == "p"
    assert (first.parent / "pyproject.toml").read_text() == "[tool.stbuild]\n"
    before = (first / "inner/large").stat().st_ino
    assert file_once(project("a", digest="1", large="x")) == first
    assert (first / "inner/large").stat().st_ino == before
    others = {file_once(project("b", digest="1")), file_once(project("a", digest="2"))}
    assert len({first, *others}) == 3
    assert sorted(each.name.startswith(".") for each in (cache / "models").iterdir()) == [False] * 3


def test_a_named_folder_is_brought_up_to_date(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.stbuild]\n")
    folder = file_once(project("a", large="x", more=("old", "kept")), tmp_path / "ws/../mine")
    kept = (folder / "inner/kept").stat().st_ino
    (folder / "notes.txt").write_text("mine")
    file_once(project("b", large="y", more=("kept", "new")), tmp_path / "mine")
    assert sorted(each.name for each in (tmp_path / "mine/inner").iterdir()) == ["kept", "large", "new"]
    assert (tmp_path / "mine/inner/kept").stat().st_ino == kept
    assert (tmp_path / "mine/inner/large").read_text() == "y"
    assert (tmp_path / "mine/notes.txt").read_text() == "mine"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["mine", "pyproject.toml"]


def test_folders_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StbuildError, match="is in no stbuild workspace"):
        file_once(project("a"), tmp_path / "mine")
    assert not (tmp_path / "mine").exists()
    (tmp_path / "pyproject.toml").write_text("[tool.stbuild]\n")
    (tmp_path / "mine").mkdir()
    with pytest.raises(StbuildError, match="/mine is there already, and is no project"):
        file_once(project("a"), tmp_path / "mine")
