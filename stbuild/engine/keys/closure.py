"""The import closure of a Python module, by reading source: what a Python action's result depends on."""

import ast
import gc
import json
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from stbuild import layout
from stbuild.engine.keys.bytecode import check_for_action
from stbuild.engine.keys.digest import hash_bytes
from stbuild.errors import StbuildError, did_you_mean

_TESTING = "TYPE_CHECKING"
_OWN = layout.package_root().name
_PARSING = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Closure:
    """Files of the module's own package and of stbuild by relative path, and the distributions that they
    import with their versions."""

    files: dict[str, str]
    distributions: dict[str, str]
    paths: tuple[str, ...] = field(default=(), compare=False)


class ClosureFinder:
    """Finds closures; `digest_of` signs a file and `remember` keeps what parsing it gave."""

    def __init__(
        self,
        digest_of: Callable[[str], str],
        recall: Callable[[str], str | None],
        remember: Callable[[str, str], None],
    ) -> None:
        self._digest_of = digest_of
        self._recall = recall
        self._remember = remember
        self._closures: dict[str, Closure] = {}
        self._roots: dict[str, Path | None] = {}
        self._owners: dict[str, list[str]] | None = None

    def closure(self, module: str, where: str) -> Closure:
        """The closure of a dotted module name."""
        if module not in self._closures:
            self._closures[module] = self._find(module, where)
        return self._closures[module]

    def forget(self) -> None:
        """Look at all files again: some have changed since."""
        self._closures.clear()

    def _find(self, module: str, where: str) -> Closure:
        top = module.partition(".")[0]
        root = self._root(top)
        if root is None or _file(root, module) is None:
            raise StbuildError(f"no Python module {module!r}", where=where, hint=self._near(root, module))
        roots = {top: root, _OWN: layout.package_root()}
        files: dict[str, Path] = {}
        foreign: set[str] = set()
        seen: set[str] = set()
        pending = [module]
        while pending:
            name = pending.pop()
            if name in seen:
                continue
            seen.add(name)
            if "." in name:
                pending.append(name.rpartition(".")[0])
            home = roots[name.partition(".")[0]]
            path = _file(home, name)
            if path is None:
                continue
            for each in (path, *_data_files(path)):
                files[each.relative_to(home.parent).as_posix()] = each
            for found in self._imports(name, path):
                if found.partition(".")[0] in roots:
                    pending += [found, found.rpartition(".")[0]] if "." in found else [found]
                else:
                    foreign.add(found.partition(".")[0])
        signed = {place: self._digest_of(str(path)) for place, path in sorted(files.items())}
        for path in files.values():
            if path.suffix == ".py":
                check_for_action(str(path))
        return Closure(
            files=signed,
            distributions=self._distributions(foreign),
            paths=tuple(sorted(map(str, files.values()))),
        )

    def _imports(self, name: str, path: Path) -> list[str]:
        memory = f"imports:{name}:{self._digest_of(str(path))}"
        known = self._recall(memory)
        if known is None:
            package = name if path.name == "__init__.py" else name.rpartition(".")[0]
            known = json.dumps(sorted(imports_of(path.read_text(), package, str(path))))
            self._remember(memory, known)
        names: list[str] = json.loads(known)
        return names

    def _root(self, top: str) -> Path | None:
        if top not in self._roots:
            self._roots[top] = package_folder(top)
        return self._roots[top]

    def _near(self, root: Path | None, module: str) -> str:
        folder = root.joinpath(*module.split(".")[1:-1]) if root else None
        names = [path.stem for path in folder.glob("*.py")] if folder and folder.is_dir() else []
        return did_you_mean(module.rpartition(".")[2], names)

    def _distributions(self, foreign: set[str]) -> dict[str, str]:
        from importlib.metadata import version

        names = {owner for name in foreign - sys.stdlib_module_names for owner in self._owner(name)}
        return {name: version(name) for name in sorted(names)}

    def _owner(self, name: str) -> list[str]:
        if self._owners is None:
            self._owners = self._all_owners()
        return sorted(set(self._owners.get(name, [])))

    def _all_owners(self) -> dict[str, list[str]]:
        installed = sorted(
            entry.name
            for folder in sys.path
            if os.path.isdir(folder)
            for entry in os.scandir(folder)
            if entry.name.endswith(".dist-info")
        )
        memory = "owners:" + hash_bytes("\n".join(installed).encode())
        known = self._recall(memory)
        if known is None:
            from importlib.metadata import packages_distributions

            known = json.dumps({name: list(owners) for name, owners in packages_distributions().items()})
            self._remember(memory, known)
        owners: dict[str, list[str]] = json.loads(known)
        return owners


def imports_of(text: str, package: str, path: str) -> set[str]:
    """The dotted names that a source imports anywhere, also inside functions; `if TYPE_CHECKING:` is skipped.

    `from a import b` gives `a.b`, since b may be a module.
    """
    try:
        tree = _parsed(text)
    except SyntaxError as error:
        raise StbuildError(f"not Python: {error.msg}", where=f"{path}:{error.lineno}") from None
    found: set[str] = set()
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        match node:
            case ast.Import():
                found.update(alias.name for alias in node.names)
            case ast.ImportFrom():
                found.update(_from(node, package))
            case ast.If() if _TESTING in ast.dump(node.test):
                pending += node.orelse
            case _:
                pending += ast.iter_child_nodes(node)
    return found


def _parsed(text: str) -> ast.Module:
    """The tree of a source, made without another thread between.

    CPython counts the depth of the trees that it makes in one place for all threads (gh-106905), and fails
    with "AST constructor recursion depth mismatch" when another thread parses amid it. It lets one run only
    where a collection of garbage calls Python code, so that none may happen meanwhile.
    """
    with _PARSING:
        collects = gc.isenabled()
        gc.disable()
        try:
            return ast.parse(text)
        finally:
            if collects:
                gc.enable()


def python_paths(module: str) -> list[str]:
    """The folders that a Python action needs on its path besides the standard library and site-packages."""
    roots = [layout.package_root(), package_folder(module.partition(".")[0])]
    folders = dict.fromkeys(str(root.parent) for root in roots if root is not None)
    return [folder for folder in folders if not folder.endswith("site-packages")]


def package_folder(top: str) -> Path | None:
    """Where a top-level package lies, found without importing it."""
    if top == layout.package_root().name:
        return layout.package_root()
    from importlib.util import find_spec

    spec = find_spec(top)
    places = list(spec.submodule_search_locations or []) if spec else []
    return Path(places[0]).resolve() if places else None


def _from(node: ast.ImportFrom, package: str) -> list[str]:
    start = node.module or ""
    if node.level:
        parts = package.split(".")
        inside = parts[: len(parts) - node.level + 1]
        start = ".".join([*inside, *([node.module] if node.module else [])])
    return [f"{start}.{alias.name}" if alias.name != "*" else start for alias in node.names]


def _file(root: Path, module: str) -> Path | None:
    place = root.joinpath(*module.split(".")[1:])
    for path in (place / "__init__.py", place.with_suffix(".py") if place != root else place / "__init__.py"):
        if path.is_file():
            return path
    return None


def _data_files(module: Path) -> list[Path]:
    """Files such as templates that lie beside a module or in folders below it that hold no Python."""
    found = []
    for path in module.parent.iterdir():
        if path.is_file() and path.suffix not in (".py", ".pyc", ".pyi", ".md", ".typed"):
            found.append(path)
        elif path.is_dir() and path.name != "__pycache__" and not any(path.glob("**/*.py")):
            found += [each for each in path.rglob("*") if each.is_file() and "_builtin" not in each.parts]
    return found
