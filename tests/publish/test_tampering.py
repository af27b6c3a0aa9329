"""What was changed on the way is found each time, before anything of it is used."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from stbuild.errors import StbuildError
from stbuild.publish.fetched import verify_folder
from stbuild.publish.fetching import fetch
from tests.publish.tampered import KINDS, Target, flip, refused

CASES = 45
"""Of each kind, so that there are more than 500."""


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_was_changed_is_refused(
    copy: Callable[[int], Target], home: Path, kind: Callable[[Target], None]
) -> None:
    for number in range(CASES):
        target = copy(number)
        kind(target)
        refused(target, home)
        shutil.rmtree(home / "cache")
        shutil.rmtree(target.root)


def test_there_are_five_hundred_cases_and_a_copy_is_taken(copy: Callable[[int], Target]) -> None:
    assert len(KINDS) * CASES >= 500
    fetch(copy(0).reference, key=copy(1).key.public)


@pytest.mark.parametrize("number", range(30))
def test_a_fetched_folder_that_was_changed_is_refused(
    copy: Callable[[int], Target], tmp_path: Path, number: int
) -> None:
    target, draw = copy(number), random.Random(number)
    found = fetch(target.reference, key=target.key.public, to=tmp_path / "mine")
    files = sorted(path for path in (tmp_path / "mine").rglob("*") if path.is_file())
    flip(draw.choice(files), draw)
    with pytest.raises(StbuildError):
        verify_folder(found.folder, target.key.signer.public_key)
