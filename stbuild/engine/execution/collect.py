"""Takes what an action made into the store."""

import os

from stbuild.engine.execution.folders import ActionDir
from stbuild.engine.graph.action import Action
from stbuild.engine.graph.artifact import Tree
from stbuild.engine.store.store import Store


def collect(action_dir: ActionDir, action: Action, store: Store, *, sync: bool) -> tuple[dict[str, str], str]:
    """The digests of the action's outputs and, where it printed something, of its log."""
    outputs = {}
    for file in action.outputs:
        path = f"{action_dir.folder}/{file.made}"
        if isinstance(file, Tree):
            outputs[file.made] = store.put_tree(path, sync=sync)
        else:
            outputs[file.made] = store.put_file(path, sync=sync)
    return outputs, _log(action_dir.log, store)


def _log(log: str, store: Store) -> str:
    if os.path.getsize(log) == 0:
        return ""
    return store.put_file(log, move=False)
