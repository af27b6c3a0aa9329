"""One cache for all tests of the library here, so that a model is compiled once."""

from pathlib import Path

import pytest

SMALL: dict[str, object] = {"channels": 2, "lanes": 1, "chunk": 4, "new_tokens": 2}
"""A small machine, which compiles fast."""


@pytest.fixture(scope="session")
def library_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache."""
    return tmp_path_factory.mktemp("library") / "cache"


@pytest.fixture(autouse=True)
def _cached(library_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STBUILD_CACHE", str(library_cache))
