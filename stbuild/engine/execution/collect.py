"""Takes what an action made into the store."""

import os
from collections.abc import Callable, Sequence

from stbuild.engine.execution.folders import ActionDir
from stbuild.engine.graph.action import Action
from stbuild.engine.graph.artifact import File, Origin, Tree
from stbuild.engine.store.store import Store

DigestOf = Callable[[File], str]


def collect(
    action_dir: ActionDir,
    action: Action,
    inputs: Sequence[File],
    digest_of: DigestOf,
    store: Store,
    *,
    sync: bool,
) -> tuple[dict[str, str], str]:
    """The digests of the action's outputs and, where it printed something, of its log.

    An output that is a symbolic link to one of `inputs` has that input's digest: it is not read again.
    """

    def put(path: str) -> str:
        linked = os.path.islink(path) and _linked_digest(path, action_dir.folder, inputs, digest_of, store)
        return linked if linked and store.hold(linked) else store.put_file(path, sync=sync)

    outputs = {}
    for file in action.outputs:
        path = f"{action_dir.folder}/{file.made}"
        outputs[file.made] = store.put_tree(path, put) if isinstance(file, Tree) else put(path)
    return outputs, _log(action_dir.log, store)


def _linked_digest(
    link: str, folder: str, inputs: Sequence[File], digest_of: DigestOf, store: Store
) -> str | None:
    """The digest of the input, or of the file in a tree that another action made, to which a link leads."""
    target = os.path.normpath(os.path.join(os.path.dirname(link), os.readlink(link)))
    staged = os.path.relpath(target, folder)
    for file in inputs:
        if not isinstance(file, Tree):
            if staged == file.staged:
                return digest_of(file)
        elif file.origin is Origin.OUTPUT and staged.startswith(f"{file.staged}/"):
            return store.manifest(digest_of(file)).get(staged[len(file.staged) + 1 :])
    return None


def _log(log: str, store: Store) -> str:
    if os.path.getsize(log) == 0:
        return ""
    return store.put_file(log, move=False)
