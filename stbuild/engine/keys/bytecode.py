"""Python's byte code of files that are keyed by their content: it must be of that content too.

Python takes byte code for its source's when size and modification time, in whole seconds, are those that it
noted. After an edit that leaves both as they were, within a second or by `touch -r`, it runs the old code.
"""

import marshal
import os
import sys
from contextlib import suppress
from importlib.util import MAGIC_NUMBER, cache_from_source

from stbuild.errors import StbuildError

_CHECKED = MAGIC_NUMBER + (0b11).to_bytes(4, "little")
"""How byte code begins that Python compares with a hash of its source (PEP 552); it keeps it so."""

_HEAD = 16


def check_for_import(path: str) -> None:
    """Before this process imports the module at `path`: no byte code that it finds is of another content."""
    _check(path, cache_from_source(path), sys.flags.optimize, make=True)


def check_for_action(path: str, *, make: bool = True) -> None:
    """The same before an action imports it; `make` writes byte code also where there is none."""
    _check(path, compiled(path), 0, make=make)


def compiled(path: str) -> str:
    """Where an action looks for the byte code of a module."""
    folder, name = os.path.split(path)
    return f"{folder}/__pycache__/{name[:-3]}.{sys.implementation.cache_tag}.pyc"


def _check(path: str, place: str, optimize: int, *, make: bool) -> None:
    head, seconds = _read(place, _HEAD)
    if not head and (sys.dont_write_bytecode or not make):
        return
    if head.startswith(_CHECKED) and seconds >= os.stat(path).st_mtime:
        return
    import py_compile  # Late: mostly there is nothing to do.

    mode = py_compile.PycInvalidationMode.CHECKED_HASH
    try:
        py_compile.compile(path, place, doraise=True, optimize=optimize, invalidation_mode=mode)
    except py_compile.PyCompileError:
        with suppress(OSError):
            os.unlink(place)
    except OSError:
        _refuse_other(path, place, optimize)


def _refuse_other(path: str, place: str, optimize: int) -> None:
    """Compare byte code that cannot be replaced, as in an installation by root."""
    data, _ = _read(place, -1)
    with open(path, "rb") as stream:
        source = stream.read()
    if not data.startswith(MAGIC_NUMBER) or data.startswith(_CHECKED):
        return
    if marshal.loads(data[_HEAD:]) != compile(source, path, "exec", dont_inherit=True, optimize=optimize):
        raise StbuildError(f"{place} is not the byte code of {path}", hint="remove it")


def _read(place: str, size: int) -> tuple[bytes, float]:
    try:
        with open(place, "rb", buffering=0) as stream:
            return stream.read(size), os.fstat(stream.fileno()).st_mtime
    except OSError:
        return b"", 0.0
