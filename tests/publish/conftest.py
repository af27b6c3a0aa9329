"""A key and a state folder of their own for each test of what is published."""

from pathlib import Path

import pytest

from tests.publish.sample import KeyPair, key_pair


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test sees what this user has seen, fetched or logged in to."""
    home = tmp_path / "home"
    for name, folder in (
        ("XDG_STATE_HOME", "state"),
        ("STBUILD_CACHE", "cache"),
        ("DOCKER_CONFIG", "docker"),
    ):
        monkeypatch.setenv(name, str(home / folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.delenv("REGISTRY_AUTH_FILE", raising=False)
    return home


@pytest.fixture
def key(tmp_path: Path) -> KeyPair:
    """The publisher's key."""
    return key_pair(tmp_path / "publisher.pub")
