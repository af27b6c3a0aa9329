"""What a context may ask of analysis, without knowing it."""

from collections.abc import Mapping
from typing import Any, Protocol

from stbuild.engine.graph.artifact import File, Folder
from stbuild.engine.graph.label import Label


class Scope(Protocol):
    """The surroundings of one call of a rule."""

    @property
    def cpu(self) -> str:
        """The chosen processor of the host."""

    def platform(self) -> Any:
        """The chosen platform."""

    @property
    def vitis(self) -> Mapping[str, Any]:
        """What the workspace sets in `[tool.stbuild.vitis]`."""

    @property
    def device(self) -> str:
        """What the workspace sets as `device` in `[tool.stbuild]`; '' without."""

    def toolchain(self, target: str) -> Any:
        """The toolchain of a target, by default of the chosen one."""

    def look(self, path: str) -> bool:
        """Whether there is something at an absolute path; analysis is made anew when that changes."""

    def place(self, label: Label, attribute: str) -> str | None:
        """The line of an attribute in its BUILD.yaml."""

    def files(self, text: str) -> list[File]:
        """The files of a path or of the label of a dependency."""

    def source(self, package: str, path: str, where: str) -> File:
        """A source file that exists."""

    def source_folder(self, package: str, path: str) -> Folder:
        """A folder of the workspace that is searched."""

    def builtin(self, path: str) -> Folder:
        """A folder of the installation."""

    def builtin_file(self, path: str) -> File:
        """A file of the installation."""

    def external(self, path: str, where: str) -> File:
        """A file or directory outside the workspace."""
