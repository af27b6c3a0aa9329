"""`stbuild fetch`: get a published bundle, once its signatures and digests hold."""

import argparse
from importlib import import_module
from pathlib import Path
from typing import Any

from stbuild.cli.transfer import Line, megabytes


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    add = parser.add_argument
    add("reference", metavar="REFERENCE", help="oci://HOST/REPOSITORY:TAG, …@sha256:…, or a folder")
    add("--key", metavar="FILE", help="the publisher's public key, which is remembered for the place")
    add("--to", metavar="FOLDER", help="make this folder (default: one in the cache)")
    add("--verbose", "-v", action="store_true", help="tell more")


def execute(options: argparse.Namespace) -> int:
    """Fetch, and print where it is."""
    found = fetched(options.reference, options.key, options.to)
    release = found.artefact.release
    version = f"{found.artefact.config.release_name}, version {release.serial}" if release else "by digest"
    print(f"fetched: {options.reference} ({version})")
    print(f"digest: {found.artefact.digest}")
    print(f"files: {len(found.artefact.files)}, {megabytes(found.artefact.bytes)}")
    print(f"bundle: {found.bundle}")
    return 0


def fetched(reference: str, key: str | None, to: str | None = None) -> Any:
    """The artefact of a reference, in a folder."""
    parse = import_module("stbuild.publish.reference").parse_reference
    fetch = import_module("stbuild.publish.fetching").fetch
    with Line("fetched") as line:
        return fetch(
            parse(reference),
            key=Path(key).expanduser() if key else None,
            to=Path(to).expanduser().absolute() if to else None,
            listener=line,
        )
