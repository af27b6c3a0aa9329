"""Files of the store and of outputs in place: removed, opened, cloned, and the errors of a disk."""

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

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
    """Remove a file, link or folder, if it is there, whatever modes a folder and those in it have."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):
        if os.path.islink(path) or not os.path.isdir(path):
            raise
        try:
            shutil.rmtree(path)
        except PermissionError:
            open_up(path)
            shutil.rmtree(path)


def open_up(folder: str) -> None:
    """Give ourselves all rights to a folder and to those in it, and to the files the right to read them."""
    os.chmod(folder, os.lstat(folder).st_mode | stat.S_IRWXU)
    for place, folders, files in walk(folder):
        for names, rights in ((folders, stat.S_IRWXU), (files, stat.S_IRUSR)):
            for path in (f"{place}/{name}" for name in names):
                mode = os.lstat(path).st_mode
                if mode & rights != rights and not stat.S_ISLNK(mode):
                    os.chmod(path, mode | rights)


def walk(folder: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """`os.walk` from the top, which does not pass over a folder that cannot be read."""
    return os.walk(folder, onerror=_raise)


def _raise(error: OSError) -> NoReturn:
    raise error


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
