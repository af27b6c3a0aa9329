"""Files as the build graph sees them: a source, a library file, an external file, a text or an output."""

from enum import Enum
from pathlib import PurePosixPath

from msgspec import Struct, structs


class Origin(Enum):
    """Where a file comes from."""

    SOURCE = "source"
    """Lies in the workspace; `path` is relative to it."""
    LIBRARY = "library"
    """Lies in a built-in or installed plugin folder; `real` is its place."""
    EXTERNAL = "external"
    """Lies anywhere on the machine; `real` is its absolute place."""
    TEXT = "text"
    """Is `content`, written by analysis."""
    OUTPUT = "output"
    """Is made by an action; `path` is relative to the configuration's folder."""


class File(Struct, frozen=True, kw_only=True):
    """A file of the build; inside an action it lies at `in/<path>`, or at `out/…` while it is made."""

    path: str
    origin: Origin = Origin.SOURCE
    real: str = ""
    content: str | None = None
    prefix: str = ""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return PurePosixPath(self.path).name

    @property
    def stem(self) -> str:
        """The name without its last suffix."""
        return PurePosixPath(self.path).stem

    @property
    def suffix(self) -> str:
        """The last suffix, with its dot."""
        return PurePosixPath(self.path).suffix

    @property
    def staged(self) -> str:
        """The path of this file as an input, relative to the action's folder."""
        return f"in/{self.path}"

    @property
    def made(self) -> str:
        """The path of this file as an output, relative to the action's folder."""
        return f"out/{self.path[len(self.prefix) + 1 :] if self.prefix else self.path}"

    def with_suffix(self, suffix: str) -> "File":
        """The file beside this one whose name has another last suffix."""
        return structs.replace(self, path=f"{self.path.removesuffix(self.suffix)}{suffix}")

    def __str__(self) -> str:
        return self.path


class Tree(File, frozen=True, kw_only=True):
    """A directory; its content is its sorted files and their digests."""


class Folder(Struct, frozen=True, kw_only=True):
    """A directory that is searched, for example for headers; naming it in an argv makes nothing an input."""

    path: str
    real: str
    origin: Origin = Origin.LIBRARY

    @property
    def staged(self) -> str:
        """The folder's path inside an action."""
        return f"in/{self.path}"

    def __truediv__(self, name: str) -> "Folder":
        return Folder(path=f"{self.path}/{name}", real=f"{self.real}/{name}", origin=self.origin)
