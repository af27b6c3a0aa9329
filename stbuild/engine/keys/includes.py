"""The headers that C++ sources reach through `#include`, so that only those are inputs of a compile."""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stbuild.engine.graph.artifact import File, Folder, Origin, Tree

_INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]+(?:"([^"\n]+)"|<([^>\n]+)>|([A-Za-z_]\w*))', re.MULTILINE)
_HEADERS = (".h", ".hpp", ".hh", ".hxx", ".inc", ".inl", ".ipp", ".tpp", "")


@dataclass(frozen=True, kw_only=True)
class Source:
    """One file of a scan: where it lies now, and as what it is known inside an action."""

    file: File
    real: str


class IncludeScanner:
    """Scans text, runs no preprocessor: an `#include` in a false `#if` counts, which is on the safe side."""

    def __init__(
        self,
        real_of: Callable[[File], str],
        digest_of: Callable[[str], str],
        blob_of: Callable[[str], str],
        saw: Callable[[str], None],
    ):
        self._real_of = real_of
        self._digest_of = digest_of
        self._blob_of = blob_of
        self._saw = saw
        self._texts: dict[str, tuple[list[tuple[str, bool]], bool]] = {}
        self._exists: dict[str, bool] = {}

    def headers(self, sources: Sequence[File], folders: Sequence[Folder | Tree]) -> list[Source]:
        """Every header that the sources reach, in the order of their paths."""
        places = [self._place(folder) for folder in folders]
        found: dict[str, Source] = {}
        pending = [Source(file=file, real=self._real_of(file)) for file in sources]
        first = {source.real for source in pending}
        while pending:
            source = pending.pop()
            names, computed = self._includes(source.real)
            reached = [self._find(name, quoted, source, places) for name, quoted in names]
            if computed:
                reached += [header for place in places for header in _everything(*place)]
            for header in reached:
                if header is not None and header.real not in found and header.real not in first:
                    found[header.real] = header
                    pending.append(header)
        return sorted(found.values(), key=lambda each: each.file.path)

    def forget(self) -> None:
        """Look again for headers that were or were not there."""
        self._exists.clear()

    def _place(self, folder: Folder | Tree) -> tuple[str, str, Folder | Tree]:
        if isinstance(folder, Folder):
            return folder.real, folder.path, folder
        return self._real_of(folder), folder.path, folder

    def _includes(self, real: str) -> tuple[list[tuple[str, bool]], bool]:
        digest = self._digest_of(real)
        if digest not in self._texts:
            hits = _INCLUDE.findall(self._text(real, digest))
            names = [
                ((quoted or angled).decode(), bool(quoted)) for quoted, angled, _ in hits if quoted or angled
            ]
            self._texts[digest] = (names, any(macro for _, _, macro in hits))
        return self._texts[digest]

    def _text(self, real: str, digest: str) -> bytes:
        """A file's bytes; a result that was only found in the cache, as `aquery` does, is read there."""
        try:
            with open(real, "rb") as stream:
                return stream.read()
        except FileNotFoundError:
            with open(self._blob_of(digest), "rb") as stream:
                return stream.read()

    def _find(
        self, name: str, quoted: bool, source: Source, places: list[tuple[str, str, Folder | Tree]]
    ) -> Source | None:
        if quoted:
            beside = f"{os.path.dirname(source.real)}/{name}"
            if self._there(beside):
                path = os.path.normpath(f"{os.path.dirname(source.file.path)}/{name}")
                return Source(file=_sibling(source.file, path, beside), real=beside)
        for real, path, folder in places:
            candidate = f"{real}/{name}"
            if self._there(candidate):
                inner = os.path.normpath(f"{path}/{name}")
                return Source(file=_member(folder, inner, candidate), real=candidate)
        return None

    def _there(self, path: str) -> bool:
        if path not in self._exists:
            self._exists[path] = os.path.isfile(path)
            if not self._exists[path]:
                self._saw(path)
        return self._exists[path]


def _sibling(file: File, path: str, real: str) -> File:
    if file.origin is Origin.LIBRARY:
        return File(path=path, origin=Origin.LIBRARY, real=os.path.normpath(real))
    return File(path=path, origin=file.origin, prefix=file.prefix)


def _member(folder: Folder | Tree, path: str, real: str) -> File:
    if isinstance(folder, Tree):
        return File(path=path, origin=folder.origin, prefix=folder.prefix, real=folder.real and real)
    return File(path=path, origin=folder.origin, real=os.path.normpath(real))


def _everything(real: str, path: str, folder: Folder | Tree) -> list[Source]:
    found = []
    for place, _, files in os.walk(real):
        for name in sorted(files):
            if os.path.splitext(name)[1] in _HEADERS:
                inner = os.path.relpath(f"{place}/{name}", real)
                file = _member(folder, f"{path}/{inner}", f"{place}/{name}")
                found.append(Source(file=file, real=f"{place}/{name}"))
    return found
