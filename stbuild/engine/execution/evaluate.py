"""Says of each action whether its result is at hand: still in place, in the cache, or to be made."""

import os
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path

from msgspec import Struct, structs

from stbuild import layout
from stbuild.engine.execution.folders import inputs_of
from stbuild.engine.execution.placed import Outputs
from stbuild.engine.execution.reads import changed, files_below, paths_on_disk
from stbuild.engine.graph.action import Action, Node, Template
from stbuild.engine.graph.artifact import File, Origin, Tree
from stbuild.engine.graph.glob import matches
from stbuild.engine.graph.owned import OwnedFolders
from stbuild.engine.keys import digest as digests
from stbuild.engine.keys.bytecode import check_for_action
from stbuild.engine.keys.closure import ClosureFinder
from stbuild.engine.keys.digest import Manifest
from stbuild.engine.keys.includes import IncludeScanner
from stbuild.engine.keys.key import Key, KeyMaker
from stbuild.engine.keys.search import search_path
from stbuild.engine.keys.tools import ToolBox, read_lock
from stbuild.engine.keys.tracker import Tracker
from stbuild.engine.store.results import ActionCache, Record
from stbuild.engine.store.state import Placed, State
from stbuild.engine.store.store import Store
from stbuild.errors import StbuildError


class Standing(Enum):
    """Where an action's result is."""

    CLEAN = "clean"
    HIT = "cached"
    RUN = "run"


class Verdict(Struct, frozen=True, kw_only=True):
    """What was found out about one action."""

    standing: Standing
    key: Key
    record: Record | None = None


class Evaluator:
    """Keeps the digest of every file that is known, and computes keys from them."""

    def __init__(
        self,
        root: Path,
        out: Path,
        configuration: str,
        state: State,
        store: Store,
        cache: ActionCache,
        tracker: Tracker,
    ) -> None:
        self.state = state
        self.store = store
        self.cache = cache
        self._root = str(root)
        self._out = str(out)
        self._folders = OwnedFolders(self._out)
        self._configuration = configuration
        self._tracker = tracker
        self.placed = Outputs(store)
        self._outputs: dict[str, str] = {}
        self._producers: Mapping[str, str] = {}
        self._read: dict[str, str] = {}
        self._digests: dict[str, str] = {}
        lock_file = root / layout.LOCK_FILE
        search = search_path(root, (store.root, layout.default_cache_dir()))
        self.tools = ToolBox(state.note, state.set_note, read_lock(lock_file), search)
        closures = ClosureFinder(self.sign, state.note, state.set_note)
        self._scanner = IncludeScanner(self.real, self._digest_of_real, store.path, tracker.saw)
        self.closures = closures
        self.keys = KeyMaker(closures, self._scanner, self.tools, self.digest)

    def real(self, file: File) -> str:
        """Where a file lies on this machine."""
        match file.origin:
            case Origin.SOURCE:
                return f"{self._root}/{file.path}"
            case Origin.OUTPUT:
                return f"{self._out}/{file.path}"
            case _:
                return file.real

    def digest(self, file: File) -> str:
        """The digest of a file; an output must have been settled before."""
        if file.origin is Origin.TEXT:
            return digests.hash_bytes((file.content or "").encode())
        if file.origin is Origin.OUTPUT:
            return self._output(file.path)
        path = self.real(file)
        if isinstance(file, Tree):
            return digests.hash_tree(self.source_tree(path))
        return self.sign(path)

    def sign(self, path: str) -> str:
        """The digest of a file on disk, from its signature where that is known."""
        if path not in self._read:
            self._tracker.saw(path)
            try:
                self._read[path], digest = self.state.digest(path, digests.hash_file)
            except FileNotFoundError:
                raise StbuildError(f"{path} does not exist any more") from None
            self._digests[path] = digest
        return self._digests[path]

    def source_tree(self, folder: str) -> Manifest:
        """The files of a directory that is an input and made by nobody here."""
        manifest = {}
        self._tracker.saw(folder)
        for place, path in files_below(folder):
            self._tracker.saw(place)
            manifest[os.path.relpath(path, folder)] = self.sign(path)
            if path.endswith(".py"):
                check_for_action(path, make=False)
        return manifest

    def key(self, action: Action) -> Key:
        """The key of an action as things are now, with the signatures of all files that it was made of."""
        key = self.keys.key(action)
        paths = list(paths_on_disk(action, key, self.real))
        if action.module:
            paths += self.closures.closure(action.module, action.where).paths
        return structs.replace(key, seen={path: self._read.get(path, "") for path in paths})

    def changed_since(self, key: Key) -> str | None:
        """The first file on disk that is not as it was when the key was made; it will be read anew."""
        paths = changed(key.seen)
        for path in paths:
            self._read.pop(path, None)
        if paths:
            self.closures.forget()
            self._scanner.forget()
        return paths[0] if paths else None

    def edited_output(self, action: Action, key: Key, since_ns: int, looked: set[str]) -> str | None:
        """The first output of another action, an input of this one, that was changed since `since_ns`.

        Outputs in `looked` were seen to be sound after the action had ended; it takes up what is seen now.
        """
        mended = self.store.copies.mended
        for file in inputs_of(action, key):
            if file.origin is Origin.OUTPUT and (mended or file.path not in looked):
                path, digest = self.real(file), self._output(file.path)
                if not self.placed.unchanged_since(path, digest, since_ns):
                    return path
                looked.add(file.path)
        return None

    def verdict(self, action: Action) -> Verdict:
        """Where the result of an action is; its inputs must be settled."""
        key = self.key(action)
        last = self.state.result(self.name(action))
        if action.policy.cacheable and last is not None and last.key == key.digest:
            placed = self._still_placed(last.outputs)
            if placed is not None:
                self._outputs.update((path, each.digest) for path, each in placed.items())
                if placed != last.outputs:
                    self.state.replace(self.name(action), placed)
                return Verdict(standing=Standing.CLEAN, key=key)
        record = self.cache.get(key.digest) if action.policy.cacheable else None
        if record is not None and set(record.outputs) == {file.made for file in action.outputs}:
            return Verdict(standing=Standing.HIT, key=key, record=record)
        return Verdict(standing=Standing.RUN, key=key)

    def settle(self, action: Action, key: Key, record: Record, *, ran: bool) -> None:
        """Put an action's outputs in place and remember them."""
        placed: dict[str, Placed] = {}
        for file in action.outputs:
            target = self.real(file)
            self._folders.unlink(target)
            placed[file.path] = self.placed.place(target, record.outputs[file.made])
            self._outputs[file.path] = record.outputs[file.made]
        self.state.record(self.name(action), key.digest, placed, key.parts, record.seconds if ran else None)

    def update_change_times(self, actions: Iterable[Action]) -> None:
        """Remember the change times of outputs whose blobs got or lost a name: the next build reads none."""
        for action in actions if self.store.copies.moved else ():
            last = self.state.result(self.name(action))
            if last is None or not all(map(self.knows, action.outputs)):
                continue
            moved = any(self.placed.moved(each.digest) for each in last.outputs.values())
            now = self._still_placed(last.outputs) if moved else None
            if now is not None and now != last.outputs:
                self.state.replace(self.name(action), now)

    def assume_outputs_unchanged(self, producers: Mapping[str, str]) -> None:
        """Take an output that was not looked at in this build to be as its action last left it."""
        self._producers = producers

    def knows(self, file: File) -> bool:
        """Whether an output is settled."""
        return file.path in self._outputs

    def expand(self, template: Template) -> list[Action]:
        """The actions of a template, whose tree must be settled."""
        manifest = self.store.manifest(self._output(template.over.path))
        actions = []
        taken: dict[str, str] = {}
        for relative in sorted(manifest):
            if not matches(relative, [template.pattern]):
                continue
            over, out = template.over, template.out_tree
            item = File(path=f"{over.path}/{relative}", origin=Origin.OUTPUT, prefix=over.prefix)
            made = f"{out.path}/{os.path.splitext(relative)[0]}{template.out_suffix}"
            if made in taken:
                message = f"{template.label}: {taken[made]} and {relative} both make {made}"
                raise StbuildError(message, where=template.where, exit_code=1)
            taken[made] = relative
            actions.append(template.expand(item, File(path=made, origin=Origin.OUTPUT, prefix=out.prefix)))
        return actions

    def make_room(self, template: Template) -> None:
        """Remove a link that somebody has put in the place of a template's tree, which would be followed."""
        folder = f"{self._out}/{template.out_tree.path}"
        if os.path.islink(folder):
            os.unlink(folder)

    def collect(self, template: Template, actions: list[Action]) -> None:
        """Settle the tree of a template's results, and remove what a former build left in it."""
        folder = f"{self._out}/{template.out_tree.path}"
        self.assume_tree(template, actions)
        manifest = self.store.manifest(self._outputs[template.out_tree.path])
        os.makedirs(folder, exist_ok=True)
        for place, _, files in os.walk(folder):
            for name in files:
                if os.path.relpath(f"{place}/{name}", folder) not in manifest:
                    os.unlink(f"{place}/{name}")

    def assume(self, action: Action, record: Record) -> None:
        """Take the digests of a cached result as known without putting anything in place."""
        self._outputs.update((file.path, record.outputs[file.made]) for file in action.outputs)

    def assume_tree(self, template: Template, actions: Sequence[Action]) -> None:
        """Take the digest of a template's tree as known, when those of its actions are."""
        prefix = len(template.out_tree.path) + 1
        manifest = {file.path[prefix:]: self._outputs[file.path] for each in actions for file in each.outputs}
        self._outputs[template.out_tree.path] = self.store.put_manifest(manifest)

    def marks(self, nodes: Sequence[Node]) -> dict[str, tuple[int, int]] | str:
        """Change time and inode of every output of settled nodes, also of the files and folders within trees.

        The path of the first output instead that somebody has changed since it was settled.
        """
        found: dict[str, tuple[int, int]] = {}
        for file in (file for node in nodes for file in node.outputs):
            path = self.real(file)
            marks = self.placed.marks(path, self._output(file.path))
            if marks is None:
                return path
            found.update(marks)
        return found

    def name(self, action: Action) -> str:
        """The name under which the state remembers an action."""
        return f"{self._configuration}/{action.id}"

    def _output(self, path: str) -> str:
        if path in self._outputs:
            return self._outputs[path]
        folder = path.rpartition("/")[0]
        while folder:
            if folder in self._outputs:
                return self.store.manifest(self._outputs[folder])[path[len(folder) + 1 :]]
            folder = folder.rpartition("/")[0]
        return self._assumed(path)

    def _assumed(self, path: str) -> str:
        last = self.state.result(f"{self._configuration}/{self._producers[path]}")
        if last is None:
            raise KeyError(path)
        real, placed = f"{self._out}/{path}", last.outputs[path]
        sound = self.placed.again(real, placed) is not None
        self._outputs[path] = placed.digest if sound else digests.hash_file(real)
        return self._outputs[path]

    def _digest_of_real(self, path: str) -> str:
        inside = path.removeprefix(f"{self._out}/")
        return self.sign(path) if inside == path else self._output(inside)

    def _still_placed(self, outputs: Mapping[str, Placed]) -> dict[str, Placed] | None:
        """The outputs of a result as they are now, if all of them are still in place."""
        found: dict[str, Placed] = {}
        for path, last in outputs.items():
            real = f"{self._out}/{path}"
            self._folders.unlink(real)
            now = self.placed.again(real, last)
            if now is None:
                return None
            found[path] = now
        return found
