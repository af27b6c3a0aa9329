"""Takes what an action made into the store."""

import os
from collections.abc import Callable, Mapping, Sequence

from stbuild.engine.execution.folders import ActionDir
from stbuild.engine.graph.action import Action
from stbuild.engine.graph.artifact import File, Origin, Tree
from stbuild.engine.store.store import Store

DigestOf = Callable[[File], str]
Real = Callable[[File], str]


def collect(
    action_dir: ActionDir,
    action: Action,
    inputs: Sequence[File],
    real: Real,
    digest_of: DigestOf,
    store: Store,
    *,
    sync: bool,
) -> tuple[dict[str, str], str]:
    """The digests of the action's outputs and, where it printed something, of its log.

    An output that is a symbolic link to one of `inputs` has that input's digest: it is not read again.
    """
    places: dict[str, File] = {}

    def put(path: str) -> str:
        if os.path.islink(path):
            if not places:
                places.update((os.path.realpath(real(f)), f) for f in inputs if f.origin is not Origin.TEXT)
            linked = _linked_digest(os.path.realpath(path), places, digest_of, store)
            if linked and store.hold(linked):
                return linked
        return store.put_file(path, sync=sync)

    outputs = {}
    for file in action.outputs:
        path = f"{action_dir.folder}/{file.made}"
        outputs[file.made] = store.put_tree(path, put) if isinstance(file, Tree) else put(path)
    return outputs, _log(action_dir.log, store)


def _linked_digest(target: str, places: Mapping[str, File], digest_of: DigestOf, store: Store) -> str | None:
    """The digest of the input, or of the file in a tree that another action made, that lies at `target`.

    The place counts, not the path in the action's folder: there the action may have put a file of its own.
    """
    if target in places:
        file = places[target]
        return None if isinstance(file, Tree) else digest_of(file)
    for place, file in places.items():
        if isinstance(file, Tree) and file.origin is Origin.OUTPUT and target.startswith(f"{place}/"):
            return store.manifest(digest_of(file)).get(target[len(place) + 1 :])
    return None


def _log(log: str, store: Store) -> str:
    if os.path.getsize(log) == 0:
        return ""
    return store.put_file(log, move=False)
