"""Files of the store and of outputs in place: removed, opened, cloned, and the errors of a disk."""

import errno
import fcntl
import os
import shutil
import stat
from pathlib import Path

from stbuild.errors import StbuildError

_FICLONE = 0x40049409


def cache_error(root: Path, error: OSError) -> StbuildError:
    """The sentence for a cache that cannot be written."""
    hint = "choose another folder with --cache-dir or STBUILD_CACHE"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "what finished is kept; make room, run `stbuild cache gc`, or choose another --cache-dir"
        return StbuildError(f"the cache {root} is full", hint=hint, exit_code=1)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
        return StbuildError(
            f"the cache {root} cannot be written ({os.strerror(error.errno)})", hint=hint, exit_code=1
        )
    return StbuildError(f"the cache {root}: {os.strerror(error.errno or 0)}", hint=hint, exit_code=1)


def make_writable(cache: Path) -> None:
    """Make the folders of a cache where they are missing; refuse one that cannot be written now."""
    try:
        for name in ("cas", "results"):
            os.makedirs(cache / name, exist_ok=True)
            if not os.access(cache / name, os.W_OK | os.X_OK):
                raise PermissionError(13, os.strerror(13), str(cache))
        probe = cache / f".probe.{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise cache_error(cache, error) from None


def remove(path: str) -> None:
    """Remove a file, link or folder, if it is there, also one that its owner may not write to."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):
        try:
            shutil.rmtree(path)
        except PermissionError:
            open_up(path)
            shutil.rmtree(path)


def open_up(folder: str) -> None:
    """Give the owner the rights to a folder and to all in it that a program has taken away."""
    _give_rights(folder)
    for place, folders, _ in os.walk(folder):
        for name in folders:
            _give_rights(f"{place}/{name}")


def _give_rights(folder: str) -> None:
    mode = os.lstat(folder).st_mode
    if stat.S_ISDIR(mode) and mode & stat.S_IRWXU != stat.S_IRWXU:
        os.chmod(folder, stat.S_IMODE(mode) | stat.S_IRWXU)


def make_way(target: str) -> None:
    """Make the folders above an output, where a former build may have put a file."""
    above = os.path.dirname(target)
    while not os.path.lexists(above):
        above = os.path.dirname(above)
    if not os.path.isdir(above):
        os.unlink(above)
    os.makedirs(os.path.dirname(target), exist_ok=True)


def open_source(path: str) -> tuple[int, bool]:
    """A handle to read a file, and whether `path` is a symbolic link to it."""
    flags = os.O_RDONLY | os.O_CLOEXEC
    try:
        return os.open(path, flags | os.O_NOFOLLOW), False
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
    return os.open(path, flags), True


def reflink(source: str, target: str) -> None:
    """Let two files share their blocks; an OSError where the file system cannot."""
    with open(source, "rb") as reader, open(target, "wb") as writer:
        fcntl.ioctl(writer.fileno(), _FICLONE, reader.fileno())


def fsync_file(path: str) -> None:
    """Wait until a file is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
