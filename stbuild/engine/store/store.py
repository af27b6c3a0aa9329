"""The content-addressed store: one read-only file for each content, named after its digest."""

import errno
import fcntl
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stbuild.engine.keys import digest as digests
from stbuild.engine.keys.digest import Manifest
from stbuild.engine.store.copies import Copies, Found, is_sealed, seal
from stbuild.engine.store.files import cache_error, fsync_file, make_way, open_source, reflink, remove, walk
from stbuild.engine.store.taking import is_ours_alone
from stbuild.errors import StbuildError


class Gone(Exception):
    """A content that was here a moment ago is not any more."""


class Store:
    """A folder of blobs. What it hands out is checked by one `stat`, and read where that tells nothing."""

    def __init__(
        self, root: Path, warn: Callable[[str], None], writer_of: Callable[[str], str] = lambda _: ""
    ) -> None:
        """`writer_of` names a process that can write to the file at a path; '' where none is found."""
        self.root = root
        self.copies = Copies()
        self._cas = str(root / "cas")
        self._warn = warn
        self._writer_of = writer_of
        self._made: set[str] = set()
        self._manifests: dict[str, Manifest] = {}
        self._serial = itertools.count()
        self._lock = -1
        self._locked = False

    def path(self, digest: str) -> str:
        """Where the blob of a digest lies."""
        return f"{self._cas}/{digest[:2]}/{digest}"

    def has(self, digest: str) -> bool:
        """Whether the content is here and untouched; a damaged blob is removed with a warning."""
        if not self._intact(digest):
            return False
        return not digest.endswith(digests.TREE) or all(map(self.has, set(self.manifest(digest).values())))

    def hold(self, digest: str) -> bool:
        """Whether the content is here; then it counts as new, and no sweep takes it soon."""
        if not self._intact(digest):
            return False
        blob = self.path(digest)
        try:
            with self.gc_lock():
                os.chmod(blob, digests.mode_of(digest))
                status = os.stat(blob)
        except (FileNotFoundError, PermissionError):
            return False
        self.copies.note_own_change(status, digest, names=1)
        return True

    def put_file(self, path: str, *, move: bool = True, sync: bool = False) -> str:
        """Take in the file at `path`, and give its digest; `move` gives the file away.

        `StillOpen` when a process can still write to a file that is given away.
        """
        handle, linked = open_source(path)
        try:
            own = move and not linked and is_ours_alone(path, handle, self._writer_of)
            status = os.fstat(handle)
            digest = digests.hash_open(handle, status)
            if not self.hold(digest):
                own = own and status.st_nlink == 1
                self._take(path, digest, handle if own else None, sync)
        finally:
            os.close(handle)
        return digest

    def put_bytes(self, data: bytes, digest: str) -> None:
        """Take in a content that is in memory."""
        blob = self.path(digest)
        if self.hold(digest):
            return
        self._folder(blob)
        temporary = self._unique(blob)
        try:
            Path(temporary).write_bytes(data)
            seal(temporary, digest)
            os.rename(temporary, blob)
        except OSError as error:
            raise self._error(error) from None

    def put_tree(self, folder: str, put: Callable[[str], str]) -> str:
        """Take in every file below `folder` by `put`, which gives its digest; the digest of the tree."""
        manifest: Manifest = {}
        for place, _, files in walk(folder):
            for name in files:
                path = f"{place}/{name}"
                manifest[os.path.relpath(path, folder)] = put(path)
        return self.put_manifest(manifest)

    def put_manifest(self, manifest: Manifest) -> str:
        """Take in the text of a tree whose files are here already."""
        text = digests.manifest_text(manifest).encode()
        digest = digests.hash_bytes(text) + digests.TREE
        self.put_bytes(text, digest)
        self._manifests[digest] = manifest
        return digest

    def sound_manifest(self, digest: str) -> Manifest | None:
        """The files of a tree; None when its blob is gone or damaged."""
        return self.manifest(digest) if digest in self._manifests or self._intact(digest) else None

    def manifest(self, digest: str) -> Manifest:
        """The files of a tree."""
        if digest not in self._manifests:
            self._manifests[digest] = digests.parse_manifest(Path(self.path(digest)).read_text())
        return self._manifests[digest]

    def read(self, digest: str) -> bytes:
        """The content of a blob."""
        return Path(self.path(digest)).read_bytes()

    def checkout(self, digest: str, target: str) -> os.stat_result:
        """Make `target` show the content, in place of whatever is there; its status.

        `Gone` when a sweep was faster, or somebody has changed the blob in this very moment.
        """
        try:
            if not digest.endswith(digests.TREE):
                return self._link(digest, target)
            self._checkout_tree(digest, target)
            return os.stat(target)
        except FileNotFoundError:
            raise Gone(digest) from None

    @contextmanager
    def gc_lock(self, *, alone: bool = False) -> Iterator[None]:
        """Hold the lock that keeps builds and gc apart; `alone`, as gc does while it removes, or shared."""
        if self._locked:
            yield
            return
        try:
            if self._lock < 0:
                self._lock = os.open(self.root / "sweep", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise self._error(error) from None
        fcntl.flock(self._lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        self._locked = True
        try:
            yield
        finally:
            self._locked = False
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the lock file."""
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = -1

    def _checkout_tree(self, digest: str, target: str) -> None:
        staging = self._unique(target)
        remove(staging)
        make_way(staging)
        os.makedirs(staging)
        made = {staging}
        for relative, member in self.manifest(digest).items():
            path = f"{staging}/{relative}"
            folder = os.path.dirname(path)
            if folder not in made:
                os.makedirs(folder, exist_ok=True)
                made.add(folder)
            self._link(member, path)
        self._unplace(target)
        os.rename(staging, target)

    def _link(self, digest: str, target: str) -> os.stat_result:
        self._make_link(digest, target)
        status = os.stat(target)
        if not is_sealed(status, digest):
            raise Gone(digest)
        self.copies.note_own_change(status, digest, names=2)
        return status

    def _unplace(self, target: str) -> None:
        """Remove what is in the place of an output; the blobs that it showed lose a name, and stay sound."""
        shown = self.copies.shown_at(target)
        remove(target)
        for digest, inode in shown.items():
            with suppress(FileNotFoundError):
                status = os.lstat(self.path(digest))
                if status.st_ino == inode:
                    self.copies.note_own_change(status, digest, names=1)

    def _make_link(self, digest: str, target: str) -> None:
        blob = self.path(digest)
        for _ in range(3):
            try:
                os.link(blob, target)
                return
            except FileExistsError:
                self._unplace(target)
            except (FileNotFoundError, NotADirectoryError):
                make_way(target)
                if not os.path.exists(blob):
                    raise FileNotFoundError(blob) from None
            except OSError as error:
                if error.errno not in (errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP):
                    raise
                break
        self._copy(blob, target)
        seal(target, digest)

    def _take(self, path: str, digest: str, handle: int | None, sync: bool) -> None:
        """Move the file behind the open `handle` to its place, or copy the one at `path` there."""
        blob = self.path(digest)
        self._folder(blob)
        try:
            if handle is None or not self._move(path, blob, digest, handle, sync):
                self._copy_in(path, blob, digest, sync)
        except OSError as error:
            raise self._error(error) from None

    def _move(self, path: str, blob: str, digest: str, handle: int, sync: bool) -> bool:
        """Move a file; False when it lies on another file system."""
        if sync:
            os.fsync(handle)
        seal(handle, digest)
        try:
            os.rename(path, blob)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            return False
        return True

    def _copy_in(self, path: str, blob: str, digest: str, sync: bool) -> None:
        temporary = self._unique(blob)
        self._copy(path, temporary)
        if digests.hash_file(temporary)[:64] != digest[:64]:
            remove(temporary)
            raise Gone(digest)  # It has changed since it was read.
        if sync:
            fsync_file(temporary)
        seal(temporary, digest)
        os.rename(temporary, blob)

    def _copy(self, source: str, target: str) -> None:
        remove(target)
        try:
            reflink(source, target)
        except OSError:
            shutil.copyfile(source, target)

    def _intact(self, digest: str) -> bool:
        blob = self.path(digest)
        found = self.copies.check(blob, digest)
        if found is Found.DAMAGED:
            self._warn(f"cache: the blob {digest[:12]} was damaged and is not used")
            remove(blob)
        return found in (Found.SOUND, Found.MENDED)

    def _folder(self, blob: str) -> None:
        folder = os.path.dirname(blob)
        if folder in self._made:
            return
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            raise self._error(error) from None
        self._made.add(folder)

    def _unique(self, path: str) -> str:
        return f"{path}.{os.getpid()}.{next(self._serial)}.tmp"

    def _error(self, error: OSError) -> StbuildError:
        return cache_error(self.root, error)
