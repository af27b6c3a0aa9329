"""A fetched artefact: a folder with its files and, in `.publication`, the signed parts."""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from securesystemslib.signer import Key

from stbuild.errors import StbuildError
from stbuild.publish.attestations import COUNT_LIMIT, check
from stbuild.publish.content import BUNDLE_FOLDER
from stbuild.publish.oci import MANIFEST_LIMIT, Descriptor, digest_of
from stbuild.publish.resolving import Artefact, Signed, artefact
from stbuild.publish.transfer import each_at_once

FOLDER = ".publication"
_MANIFEST, _CONFIG = "manifest.json", "config.json"
_PLAIN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""How a file is opened that may be a link or a pipe: neither is followed or waited for."""
AGAIN = "remove the folder and fetch it again"


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """An artefact in a folder, each of whose files was found to be right."""

    folder: Path
    artefact: Artefact

    @property
    def bundle(self) -> Path:
        """The bundle, which `stbuild run` and `Accelerator.open` take."""
        return self.folder / BUNDLE_FOLDER


def is_fetched(folder: Path) -> bool:
    """Whether a folder holds a fetched artefact."""
    return (folder / FOLDER / _MANIFEST).is_file()


def write_signed(folder: Path, signed: Signed) -> None:
    """Keep the signed parts in the folder of their artefact."""
    place = folder / FOLDER
    place.mkdir(parents=True)
    (place / _MANIFEST).write_bytes(signed.manifest)
    (place / _CONFIG).write_bytes(signed.config)
    for number, data in enumerate(signed.envelopes):
        (place / f"attestation_{number}.json").write_bytes(data)


def verify_folder(folder: Path, key: Key) -> Fetched:
    """Verify the signatures and then each file; a file too few, too many or changed is refused."""
    where = str(folder)
    signed = _read_signed(folder)
    attested = check(signed.envelopes, digest_of(signed.manifest), [key], where)
    found = artefact(signed, attested, key, where)
    config = found.manifest.config.digest
    if digest_of(signed.config) != config:
        raise StbuildError(f"{FOLDER}/{_CONFIG} is not {config}", where=where, exit_code=1)
    there = set(_paths(folder))
    if there != set(found.files):
        raise _differs(folder, there, set(found.files))

    def one(path: str) -> None:
        check_file(folder / path, found.files[path])

    each_at_once(one, found.files)
    return Fetched(folder=folder, artefact=found)


def check_file(path: Path, content: Descriptor) -> None:
    """Refuse a file that is not the content, or is no plain file."""
    try:
        with os.fdopen(os.open(path, _PLAIN), "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise StbuildError("this is no plain file", where=str(path), hint=AGAIN, exit_code=1)
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        message = f"the file cannot be read: {error.strerror}"
        raise StbuildError(message, where=str(path), hint=AGAIN, exit_code=1) from None
    if found != content.hex:
        message = f"the file was changed: its digest is sha256:{found}, not {content.digest}"
        raise StbuildError(message, where=str(path), hint=AGAIN, exit_code=1)


def _read_signed(folder: Path) -> Signed:
    place = folder / FOLDER
    if not is_fetched(folder):
        message = "this is neither a fetched artefact nor an OCI image layout"
        raise StbuildError(message, where=str(folder), hint="`stbuild fetch REFERENCE --to FOLDER` makes one")
    numbered = sorted(place.glob("attestation_*.json"))[:COUNT_LIMIT]
    return Signed(
        manifest=_read(place / _MANIFEST),
        config=_read(place / _CONFIG),
        envelopes=tuple(_read(path) for path in numbered),
    )


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(16 * MANIFEST_LIMIT + 1)
    except OSError as error:
        message = f"the file cannot be read: {error.strerror}"
        raise StbuildError(message, where=str(path), exit_code=1) from None
    if len(data) > 16 * MANIFEST_LIMIT:
        raise StbuildError("the file is too large", where=str(path), exit_code=1)
    return data


def _paths(folder: Path) -> Iterator[str]:
    """Everything but folders below `folder`, without its signed parts."""
    for place, folders, files in os.walk(folder):
        if Path(place) == folder and FOLDER in folders:
            folders.remove(FOLDER)
        links = [name for name in folders if Path(place, name).is_symlink()]
        yield from (os.path.relpath(f"{place}/{name}", folder) for name in (*files, *links))


def _differs(folder: Path, there: set[str], wanted: set[str]) -> StbuildError:
    missing, foreign = sorted(wanted - there), sorted(there - wanted)
    what = f"{missing[0]} is missing" if missing else f"{foreign[0]} is not a file of the artefact"
    return StbuildError(what, where=str(folder), hint=AGAIN, exit_code=1)
