"""`fetch`: gets an artefact whose signatures hold, and each file of it by digest."""

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from stbuild import layout
from stbuild.engine.store.disk import told_when_full
from stbuild.errors import StbuildError
from stbuild.package.bundle import load_bundle
from stbuild.publish.fetched import Fetched, check_file, is_fetched, verify_folder, write_signed
from stbuild.publish.keys import key_text
from stbuild.publish.locked import locked
from stbuild.publish.oci import Descriptor
from stbuild.publish.reference import Reference, parse_reference
from stbuild.publish.resolving import Artefact, resolve, trusted_key
from stbuild.publish.seen import remember
from stbuild.publish.storage import Storage, open_storage
from stbuild.publish.transfer import Counter, Listener, each_at_once


def fetch(
    reference: Reference, *, key: Path | None, to: Path | None = None, listener: Listener = lambda *_: None
) -> Fetched:
    """The artefact in a folder: `to`, which must not exist yet, or one of the cache.

    What is in the cache is verified again, and by digest it needs no network.
    """
    trusted = trusted_key(reference, key)
    cache = layout.default_cache_dir() / "fetched"
    cache.mkdir(parents=True, exist_ok=True)
    if to is not None and to.exists():
        raise StbuildError("the folder is there already", where=str(to), hint="name one that does not exist")
    with locked(cache), told_when_full(str(cache)):
        kept = cache / "artefacts" / reference.digest.replace(":", "-")
        if reference.digest and is_fetched(kept):
            found = verify_folder(kept, trusted)
        else:
            with open_storage(reference) as storage:
                found = _fetch(storage, resolve(storage, reference, trusted), cache, listener)
    load_bundle(found.bundle)
    release = found.artefact.release
    if release is not None:
        remember(reference.place, key_text(trusted), release, found.artefact.digest)
    if to is None:
        return found
    with told_when_full(str(to)):
        return _copied(found, to)


def _fetch(storage: Storage, found: Artefact, cache: Path, listener: Listener) -> Fetched:
    """Put the artefact together in the cache of contents that it shares with others."""
    folder = cache / "artefacts" / found.digest.replace(":", "-")
    contents, blobs = found.files, cache / "blobs"
    counter = Counter(total=found.bytes, listener=listener)
    _get(storage, found.manifest.layers, blobs, counter)
    if found.config.elsewhere:
        with open_storage(parse_reference(found.config.weights_from)) as other:
            _get(other, found.config.elsewhere, blobs, counter)
    folder.parent.mkdir(exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
    try:
        write_signed(made, found.signed)
        for path, content in contents.items():
            (made / path).parent.mkdir(parents=True, exist_ok=True)
            (made / path).hardlink_to(blobs / content.hex)
        shutil.rmtree(folder, ignore_errors=True)
        made.chmod(0o755)
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return Fetched(folder=folder, artefact=found)


def _get(storage: Storage, wanted: Iterable[Descriptor], blobs: Path, counter: Counter) -> None:
    """Get each content that is not in the cache, or is not right there."""

    def one(content: Descriptor) -> None:
        blob = blobs / content.hex
        if blob.exists():
            try:
                check_file(blob, content)
            except StbuildError:
                blob.unlink()
            else:
                counter(content.size)
                return
        storage.get(content, blob, counter)

    each_at_once(one, {content.digest: content for content in wanted}.values())


def _copied(found: Fetched, to: Path) -> Fetched:
    """A copy outside the cache, whose owner may do with it as they like."""
    to.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{to.name}-", dir=to.parent))
    try:
        for path in sorted(found.folder.rglob("*")):  # copytree would gather errors, and lose their kind
            copy = made / path.relative_to(found.folder)
            copy.mkdir() if path.is_dir() else shutil.copyfile(path, copy)
        made.chmod(0o755)
        made.rename(to)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return Fetched(folder=to, artefact=found.artefact)
