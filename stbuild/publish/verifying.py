"""`verify`: checks signatures, digests and versions of what is published, or of a folder that was fetched."""

import tempfile
from pathlib import Path

from stbuild.engine.load.workspace import Workspace
from stbuild.engine.store.disk import told_when_full
from stbuild.errors import StbuildError
from stbuild.publish.fetched import is_fetched, verify_folder
from stbuild.publish.keys import read_public_key
from stbuild.publish.oci import Descriptor
from stbuild.publish.rebuilding import Comparison, rebuild
from stbuild.publish.reference import parse_reference
from stbuild.publish.resolving import Artefact, resolve, trusted_key
from stbuild.publish.storage import Storage, open_storage
from stbuild.publish.transfer import each_at_once


def verify(text: str, *, key: Path | None) -> Artefact:
    """The artefact of a fetched folder or a reference, once everything that is signed of it holds."""
    folder = Path(text).expanduser().absolute()
    if is_fetched(folder):
        if key is None:
            raise StbuildError("a folder is verified with a key", where=text, hint="give --key FILE.pub")
        return verify_folder(folder, read_public_key(key)).artefact
    reference = parse_reference(text)
    trusted = trusted_key(reference, key)
    with open_storage(reference) as storage:
        found = resolve(storage, reference, trusted)
        _check_contents(storage, found.manifest.layers)
    if found.config.elsewhere:
        with open_storage(parse_reference(found.config.weights_from)) as other:
            _check_contents(other, found.config.elsewhere)
    return found


def verify_rebuilt(text: str, *, key: Path | None, workspace: Workspace) -> tuple[Artefact, Comparison]:
    """The artefact that a reference leads to, and how it compares with a build of the workspace's sources."""
    found = verify(text, key=key)
    folder = Path(text).expanduser().absolute()

    def read(path: str, content: Descriptor) -> bytes:
        if is_fetched(folder):
            return (folder / path).read_bytes()
        place = found.config.weights_from if path in found.config.files else text
        with open_storage(parse_reference(place)) as storage:
            return storage.get_bytes(content)

    return found, rebuild(found, workspace, read)


def _check_contents(storage: Storage, contents: tuple[Descriptor, ...]) -> None:
    """Get each content and drop it; getting checks it."""
    with tempfile.TemporaryDirectory(prefix="stbuild-verify-") as folder, told_when_full(folder):

        def one(content: Descriptor) -> None:
            target = Path(folder, content.hex)
            storage.get(content, target, lambda _: None)
            target.unlink()

        each_at_once(one, {each.digest: each for each in contents}.values())
