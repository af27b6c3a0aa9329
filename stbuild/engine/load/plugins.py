"""Rules, platforms and targets found by their files' names: built-in, installed, the workspace's own."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from stbuild import layout
from stbuild.engine.keys.bytecode import check_for_import
from stbuild.engine.keys.tracker import Tracker
from stbuild.engine.load.imports import imported_files, imports_noted
from stbuild.engine.load.rule import Macro, Rule
from stbuild.engine.load.steps import PLUGIN_MODULES
from stbuild.errors import StbuildError, did_you_mean

if TYPE_CHECKING:
    from stbuild.platform import Platform
    from stbuild.target import Toolchain

ENTRY_POINTS = "stbuild.plugins"


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """One file with a rule, macro, platform or target, not imported yet."""

    kind: str
    name: str
    path: Path
    origin: str


@dataclass(frozen=True, kw_only=True)
class Clash:
    """Two files that claim one name."""

    first: Plugin
    second: Plugin

    def error(self) -> StbuildError:
        """The sentence that names both."""
        what = f"{self.first.kind[:-1]} {self.first.name!r}"
        files = f"{self.first.path} and {self.second.path}"
        return StbuildError(f"{what} is defined twice: {files}", hint="rename one of the files")


class PluginIndex:
    """The plugins that a workspace can use; a file is imported when its name is first used."""

    def __init__(self, workspace: Path, tracker: Tracker) -> None:
        self._tracker = tracker
        self._loaded: dict[tuple[str, str], Any] = {}
        self._found: dict[tuple[str, str], Plugin] = {}
        self.clashes: list[Clash] = []
        for path in imported_files():
            tracker.saw(path)
        for origin, folder in _roots(workspace, tracker):
            for kind in layout.PLUGIN_KINDS:
                self._scan(kind, origin, folder / kind)

    def names(self, kind: str) -> list[str]:
        """The names of one kind, sorted."""
        return sorted(name for found, name in self._found if found == kind)

    def plugins(self, kind: str) -> list[Plugin]:
        """The plugins of one kind, sorted by name."""
        return [self._found[kind, name] for name in self.names(kind)]

    def check(self) -> None:
        """Refuse a workspace in which a name is taken twice."""
        if self.clashes:
            raise self.clashes[0].error()

    def rule(self, name: str, where: str) -> Rule[Any, Any] | Macro[Any]:
        """The rule or macro of this name."""
        value = self._load("rules", name, name, where)
        if isinstance(value, Rule | Macro):
            return value
        path = self._found["rules", name].path
        raise StbuildError(f"{path} defines {name!r}, but not with @rule or @macro", where=where)

    def platform(self, name: str) -> "Platform":
        """The platform value of this name."""
        from stbuild.platform_file import check_platform

        return check_platform(self._load("platforms", name, name.upper(), None), name)

    def toolchain(self, target: str) -> "Toolchain":
        """The toolchain of the target of this name."""
        from stbuild.target import check_toolchain

        return check_toolchain(self._load("targets", target, target.upper(), None), target)

    def find(self, kind: str, name: str, where: str | None) -> Plugin:
        """The plugin of this name, which is not imported for that."""
        plugin = self._found.get((kind, name))
        if plugin is None:
            hint = did_you_mean(name, self.names(kind))
            raise StbuildError(f"no {kind[:-1]} {name!r}", where=where, hint=hint)
        return plugin

    def noting_imports(self) -> AbstractContextManager[None]:
        """While a plugin's code runs: what it imports has made the graph too."""
        return imports_noted(self._tracker.saw)

    def _load(self, kind: str, name: str, attribute: str, where: str | None) -> Any:
        if (kind, name) in self._loaded:
            return self._loaded[kind, name]
        plugin = self.find(kind, name, where)
        with self.noting_imports():
            module = load_file(plugin.path, f"{PLUGIN_MODULES}{kind}.{name}")
        if not hasattr(module, attribute):
            hint = f"the file is named {plugin.path.name}, so it defines {attribute!r}"
            raise StbuildError(f"{plugin.path} does not define {attribute!r}", where=where, hint=hint)
        self._loaded[kind, name] = getattr(module, attribute)
        return self._loaded[kind, name]

    def _scan(self, kind: str, origin: str, folder: Path) -> None:
        self._tracker.saw(folder)
        if not folder.is_dir():
            return
        for path in sorted(folder.glob("*.py")):
            if path.stem.startswith("_"):
                continue
            self._tracker.saw(path)
            plugin = Plugin(kind=kind, name=path.stem, path=path, origin=origin)
            known = self._found.setdefault((kind, path.stem), plugin)
            if known is not plugin:
                self.clashes.append(Clash(first=known, second=plugin))


def load_file(path: Path, name: str) -> ModuleType:
    """Import the file at `path` as a module called `name`; its failure is told in one sentence."""
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise StbuildError(f"{path} is not a Python file")
    check_for_import(str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except StbuildError:
        raise
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        line = _line_in(path, error)
        sentence = f"cannot be imported: {type(error).__name__}: {error}"
        raise StbuildError(sentence, where=f"{path}:{line}", hint="--verbose shows the traceback") from error
    return module


@contextmanager
def told_of_plugin(what: str, function: Callable[..., Any], where: str) -> Iterator[None]:
    """An error in a plugin's function is one sentence: a user's mistake at `where`, a bug at its own line."""
    try:
        yield
    except StbuildError as error:
        error.where = error.where or where
        raise
    except (Exception, SystemExit) as error:
        file = function.__code__.co_filename
        message = f"{what} fails for {where}: {type(error).__name__}: {error}"
        place = f"{file}:{_line_in(Path(file), error)}"
        raise StbuildError(message, where=place, hint="--verbose shows the traceback") from error


def builtin_platform(name: str) -> "Platform":
    """A card that comes with stbuild, for a platform file that differs from it in a few figures."""
    from stbuild.platform_file import check_platform

    path = layout.builtin_root() / "platforms" / f"{name}.py"
    if not path.is_file():
        known = sorted(each.stem for each in path.parent.glob("*.py"))
        raise StbuildError(f"no platform {name!r} comes with stbuild", hint=did_you_mean(name, known))
    return check_platform(getattr(load_file(path, f"stbuild_builtin.{name}"), name.upper(), None), name)


def installed_roots(tracker: Tracker | None = None) -> list[tuple[str, Path]]:
    """The folders of installed packages with an entry point `stbuild.plugins`, found without imports."""
    from importlib.metadata import entry_points

    if tracker is not None:
        for folder in sys.path:
            if folder.endswith("site-packages"):
                tracker.saw(folder)
    roots = []
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda each: each.name):
        spec = importlib.util.find_spec(point.module.partition(".")[0])
        places = list(spec.submodule_search_locations or []) if spec else []
        if not places:
            raise StbuildError(
                f"entry point {point.name!r} ({ENTRY_POINTS}) names {point.module}, which is no package"
            )
        inner = point.module.split(".")[1:]
        roots.append((point.name, Path(places[0], *inner)))
    return roots


def _roots(workspace: Path, tracker: Tracker) -> list[tuple[str, Path]]:
    roots = [("stbuild", layout.builtin_root()), *installed_roots(tracker), ("workspace", workspace)]
    seen: set[Path] = set()
    unique = []
    for origin, folder in roots:
        real = folder.resolve()
        if real not in seen:
            seen.add(real)
            unique.append((origin, real))
    return unique


def _line_in(path: Path, error: BaseException) -> int:
    if isinstance(error, SyntaxError) and error.lineno:
        return error.lineno
    line, trace = 1, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
