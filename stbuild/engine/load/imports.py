"""What analysis imports: noted before it is read, since the graph depends on it as on a rule's own file."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import ModuleType

from stbuild import layout
from stbuild.engine.keys.bytecode import check_for_import

Saw = Callable[[str], None]

_STANDARD = os.path.dirname(os.__file__)
_OWN = str(layout.package_root())


@contextmanager
def imports_noted(saw: Saw) -> Iterator[None]:
    """Call `saw` with the file of each module before it is imported, but for those of distributions.

    Their versions count, and the folder that lists them is noted (`load/plugins.py`).
    """
    finder = _NotingFinder(saw)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def imported_files() -> list[str]:
    """The files of the modules that this process has imported already, but for those of distributions."""
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return [path for path in files if path and _counts(path)]


class _NotingFinder(MetaPathFinder):
    """Finds what the other finders find."""

    def __init__(self, saw: Saw) -> None:
        self._saw = saw

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        for finder in sys.meta_path:
            if isinstance(finder, _NotingFinder):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                self._note(spec)
                return spec
        return None

    def _note(self, spec: ModuleSpec) -> None:
        if spec.origin is None or not spec.has_location or not _counts(spec.origin):
            return
        self._saw(spec.origin)
        if isinstance(spec.loader, SourceFileLoader):
            check_for_import(spec.origin)


def _counts(path: str) -> bool:
    if path.startswith(f"{_OWN}/"):
        return True
    installed = "/site-packages/" in path or "/dist-packages/" in path
    return not installed and not path.startswith(f"{_STANDARD}/")
