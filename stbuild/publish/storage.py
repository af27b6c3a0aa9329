"""What publications are kept in: contents by digest and manifests by tag, in a registry or in a folder."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from stbuild.publish.oci import Descriptor, Manifest
from stbuild.publish.reference import Reference

CONNECTIONS = 6
"""Contents under way at once."""
Progress = Callable[[int], None]
"""Is told of each piece of a content, by its bytes."""


class Storage(Protocol):
    """One repository, or one OCI image layout."""

    def manifest(self, name: str) -> bytes | None:
        """The manifest with a tag or digest, unchecked; None if there is none."""

    def put_manifest(self, manifest: Manifest, name: str) -> None:
        """Store a manifest whose contents are there, under a tag or its digest."""

    def check_writable(self) -> None:
        """Refuse a place that would take nothing; a StbuildError says why."""

    def has(self, content: Descriptor) -> bool:
        """Whether a content is there."""

    def put(self, content: Descriptor, source: Path, tell: Progress) -> None:
        """Store the content of a file, unless it is there."""

    def put_bytes(self, content: Descriptor, data: bytes) -> None:
        """Store a small content, unless it is there."""

    def get(self, content: Descriptor, target: Path, tell: Progress) -> None:
        """Write a content to the file `target`, which is whole and right, or is not there."""

    def get_bytes(self, content: Descriptor) -> bytes:
        """A small content, checked."""


@contextmanager
def open_storage(reference: Reference, *, write: bool = False) -> Iterator[Storage]:
    """The registry or folder of a reference; to write to a folder makes it."""
    if reference.folder is not None:
        from stbuild.publish.layout_folder import LayoutFolder

        with LayoutFolder.open(reference.folder, write=write) as folder:
            yield folder
        return
    from stbuild.publish.registry import (
        Registry,
    )  # Late: a folder needs no network, whose imports take 0.2 s.

    with Registry(reference) as registry:
        yield registry
