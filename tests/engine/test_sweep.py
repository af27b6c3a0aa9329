"""A sweep makes the cache smaller, and takes nothing that a running build needs."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stbuild.engine.keys.digest import hash_bytes
from stbuild.engine.store.gc import Swept, sweep, usage
from stbuild.engine.store.results import ActionCache, Record
from stbuild.engine.store.store import Gone, Store
from tests.conftest import WorkspaceFolder

TWINS = 25
YOUNG_S = 0.3


def store_at(root: Path) -> Store:
    """A store in a new folder."""
    (root / "cas").mkdir(parents=True, exist_ok=True)
    return Store(root, print)


def keep(cache: ActionCache, store: Store, number: int, size: int) -> str:
    """Put a result of one file into the cache; its key."""
    data = number.to_bytes(4, "little").ljust(size, b"x")
    digest = hash_bytes(data)
    store.put_bytes(data, digest)
    key = hash_bytes(b"key" + data)
    cache.put(key, Record(outputs={"out/x": digest}))
    return key


def build_while_sweeping(space: WorkspaceFolder) -> list[Swept]:
    """Build all, with one sweep after the other that leaves only what is young; what they did."""
    process = space.start("//...", "--sandbox=off", "--plain")
    swept = []
    while process.poll() is None:
        swept.append(
            sweep(space.cache, Store(space.cache, print), max_bytes=0, max_age_s=None, young_s=YOUNG_S)
        )
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return swept


def twins(delay_s: float) -> list[str]:
    """Actions with different commands that make the same file, so the blob of one serves them all."""
    return [
        f"genrule: {{name: t{i}, outs: [t{i}.txt], cmd: 'true {i}; sleep {delay_s}; echo same > $@'}}"
        for i in range(TWINS)
    ]


def test_a_content_made_again_outlasts_a_sweep(workspace: WorkspaceFolder) -> None:
    workspace.build_file("q", "genrule: {name: old, outs: [old.txt], cmd: 'echo old > $@'}")
    workspace.ok("q:old", "--sandbox=off")
    time.sleep(YOUNG_S)
    workspace.build_file("p", *twins(0.05))
    assert sum(each.blobs for each in build_while_sweeping(workspace)) > 0
    for i in range(TWINS):
        assert workspace.output(f"p/t{i}.txt").read_text() == "same\n"


def test_hits_of_another_workspace_outlast_a_sweep(make_workspace: Callable[[str], WorkspaceFolder]) -> None:
    one, two = make_workspace("one"), make_workspace("two")
    for space in (one, two):
        space.build_file("p", *twins(0.0))
    one.ok("//...", "--sandbox=off")
    time.sleep(YOUNG_S)
    build_while_sweeping(two)
    for i in range(TWINS):
        assert two.output(f"p/t{i}.txt").read_text() == "same\n"


def test_records_written_during_sweeps_stay(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    cache = ActionCache(tmp_path, store)
    keys: list[str] = []
    writer = threading.Thread(
        target=lambda: keys.extend(keep(cache, store, number, 8) for number in range(600))
    )
    writer.start()
    while writer.is_alive():
        sweep(tmp_path, Store(tmp_path, print), max_bytes=None, max_age_s=None)
    fresh = ActionCache(tmp_path, store_at(tmp_path))
    assert all(fresh.get(key) for key in keys)
    assert len(keys) == 600


def test_by_size(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    cache = ActionCache(tmp_path, store)
    keys = [keep(cache, store, number, 1000) for number in range(10)]
    swept = sweep(tmp_path, store, max_bytes=3500, max_age_s=None, young_s=0.0)
    assert (swept.records, swept.blobs, swept.kept_bytes) == (7, 7, 3000)
    fresh = ActionCache(tmp_path, store_at(tmp_path))
    assert sum(fresh.get(key) is not None for key in keys) == 3
    assert usage(tmp_path).bytes == 3000


def test_by_age(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    cache = ActionCache(tmp_path, store)
    key = keep(cache, store, 1, 10)
    assert sweep(tmp_path, store, max_bytes=None, max_age_s=60, young_s=0.0).records == 0
    assert ActionCache(tmp_path, store).get(key) is not None
    assert sweep(tmp_path, store, max_bytes=None, max_age_s=-1, young_s=0.0).records == 1
    assert ActionCache(tmp_path, store_at(tmp_path)).get(key) is None


def test_what_is_young_stays_though_no_record_names_it(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    data = b"of an action that is ending right now"
    store.put_bytes(data, hash_bytes(data))
    sweep(tmp_path, store, max_bytes=0, max_age_s=None)
    assert store.read(hash_bytes(data)) == data


def test_a_content_that_vanishes_before_it_is_placed_is_told(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    digest = hash_bytes(b"short-lived")
    store.put_bytes(b"short-lived", digest)
    Path(store.path(digest)).unlink()
    with pytest.raises(Gone):
        store.checkout(digest, str(tmp_path / "target"))
    assert not store.has(digest)
