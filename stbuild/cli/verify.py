"""`stbuild verify`: whether what is published, or was fetched, is what its publisher signed."""

import argparse
from importlib import import_module
from pathlib import Path
from typing import Any

from stbuild.cli.request import open_workspace
from stbuild.errors import shortened


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    add = parser.add_argument
    add(
        "reference",
        metavar="REFERENCE",
        help="oci://HOST/REPOSITORY:TAG, or a folder that was published or fetched",
    )
    add("--key", metavar="FILE", help="the publisher's public key, which is remembered for the place")
    about = "build it again from this workspace's sources, in another place, and compare every byte"
    add("--rebuild", action="store_true", help=about)
    add("--verbose", "-v", action="store_true", help="tell more")


def execute(options: argparse.Namespace) -> int:
    """Verify, and say what holds."""
    verifying = import_module("stbuild.publish.verifying")
    key = Path(options.key).expanduser() if options.key else None
    if options.rebuild:
        workspace = open_workspace()
        found, comparison = verifying.verify_rebuilt(options.reference, key=key, workspace=workspace)
    else:
        found, comparison = verifying.verify(options.reference, key=key), None
    print(f"verified: {found.digest}, {found.config.release_name}")
    for release in found.attested.releases:
        print(f"released: {release.tag}, version {release.serial}")
    print(f"signed by: {found.key.keyid}")
    print(f"files: {len(found.files)}, each with the digest that is signed")
    return 0 if comparison is None else _tell(comparison)


def _tell(comparison: Any) -> int:
    """What the rebuild gave; a difference is a failed verification."""
    if not comparison.differing:
        print(f"rebuilt: {comparison.files} files, each equal to the byte")
        return 0
    count = len(comparison.differing)
    print(f"rebuilt: {count} of {comparison.files} files differ: {shortened(comparison.differing)}")
    if comparison.action:
        print(f"first action that differs: {comparison.action}")
    print("\n".join(f"  {line}" for line in comparison.detail))
    return 1
