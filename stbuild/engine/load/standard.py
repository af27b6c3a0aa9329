"""Providers of the rules that know nothing of accelerators."""

from dataclasses import dataclass

from stbuild.engine.graph.artifact import File


@dataclass(frozen=True, kw_only=True)
class FilesInfo:
    """Files, and nothing more to say about them."""

    files: tuple[File, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TestInfo:
    """A test: what it needs built before it can run."""

    __test__ = False

    files: tuple[File, ...] = ()
