"""`stbuild verify`: whether what is published, or was fetched, is what its publisher signed."""

import argparse
from importlib import import_module
from pathlib import Path


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    add = parser.add_argument
    add(
        "reference",
        metavar="REFERENCE",
        help="oci://HOST/REPOSITORY:TAG, or a folder that was published or fetched",
    )
    add("--key", metavar="FILE", help="the publisher's public key, which is remembered for the place")
    add("--verbose", "-v", action="store_true", help="tell more")


def execute(options: argparse.Namespace) -> int:
    """Verify, and say what holds."""
    verifying = import_module("stbuild.publish.verifying")
    key = Path(options.key).expanduser() if options.key else None
    found = verifying.verify(options.reference, key=key)
    print(f"verified: {found.digest}, {found.config.release_name}")
    print(f"signed by: {found.key.keyid}")
    print(f"files: {len(found.files)}, each with the digest that is signed")
    return 0
