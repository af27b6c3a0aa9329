"""A key and a state folder of their own for each test of what is published."""

import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from stbuild.publish.reference import Reference
from tests.publish.sample import KeyPair, key_pair, put, sample
from tests.publish.tampered import Target


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


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Target:
    """What is published, before anybody has changed it; it is fetched without complaint."""
    folder = tmp_path_factory.mktemp("original")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        key = key_pair(folder / "key.pub")
        reference = Reference(folder=folder / "out")
        done = put(sample(folder / "built"), reference, key)
    stranger = key_pair(folder / "stranger.pub")
    return Target(
        reference=reference,
        digest=done.reference.digest,
        key=key,
        stranger=stranger,
        draw=random.Random(14),
    )


@pytest.fixture
def copy(original: Target, tmp_path: Path) -> Callable[[int], Target]:
    """Makes copies to change."""

    def make(number: int) -> Target:
        folder = tmp_path / f"copy{number}"
        shutil.copytree(original.root, folder)
        return replace(original, reference=Reference(folder=folder), draw=random.Random(number))

    return make
