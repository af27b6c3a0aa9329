"""The answer to "has anything changed since this very command succeeded?", from one `stat` a file.

It is asked before YAML, plugins, doit or the state are touched, so this module imports next to nothing.
"""

import marshal
import os
import sys
from typing import Any

_ENVIRONMENT = (
    *("PATH", "STBUILD_CACHE", "XDG_CACHE_HOME", "HOME", "LD_LIBRARY_PATH"),
    *("XILINX_VITIS", "PLATFORM_REPO_PATHS"),
)

NOTES, OLD_NOTES = "noops.ndjson", "noops.old.ndjson"
_NOTES_BYTES = 1 << 19
"""Some thousand lines; then the file becomes the old one, of which there is one."""

Saved = dict[str, Any]


def holds(saved: Saved) -> bool:
    """Whether nothing at all has changed since."""
    return _unchanged(saved["paths"], saved["sigs"]) and _outputs_there(saved["outputs"], saved["marks"])


def load(argv: list[str]) -> Saved | None:
    """What was saved when this command last succeeded here."""
    place = locate(argv)
    if place is None:
        return None
    try:
        with open(place, "rb") as stream:
            saved: Saved = marshal.load(stream)
        return saved if saved["question"] == _question(argv) else None
    except (OSError, ValueError, EOFError, TypeError, KeyError):
        return None


def note(argv: list[str], count: int) -> None:
    """Leave a line of NDJSON that the command found nothing to do; where that fails, none."""
    from _json import encode_basestring_ascii as quoted  # of `json`, whose import takes half of a no-op
    from time import time

    state = _nearest_state(os.getcwd())
    line = (
        f'{{"event":"nothing_to_do","time":{time():.4f},"argv":{quoted(" ".join(argv))},"clean":{count}}}\n'
    )
    try:
        with open(f"{state}/{NOTES}", "a") as stream:
            stream.write(line)
            full = stream.tell() > _NOTES_BYTES
        if full:
            os.replace(f"{state}/{NOTES}", f"{state}/{OLD_NOTES}")
    except OSError:
        return


def locate(argv: list[str]) -> str | None:
    """The file in which the answer to a command is saved, in the nearest workspace that has any."""
    state = _nearest_state(os.getcwd())
    return None if state is None else _file(state, _question(argv))


def save_answer(
    state: str,
    argv: list[str],
    token: bytes,
    paths: dict[str, Any],
    outputs: dict[str, tuple[int, int]],
    count: int,
    lines: list[str],
) -> str:
    """Save what `load` gives, and say where; `outputs` gives change time and inode of each.

    `token` names the lists of paths and outputs: what is saved with the same one may count on their order.
    The signatures in `paths` are those of files that had rested before they were read.
    """
    question = _question(argv)
    saved = {
        "question": question,
        "token": token,
        "paths": list(paths),
        "sigs": list(paths.values()),
        "outputs": list(outputs),
        "marks": list(outputs.values()),
        "count": count,
        "lines": lines,
    }
    path = _file(state, question)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "wb") as stream:
        stream.write(marshal.dumps(saved))
    os.rename(temporary, path)
    return path


def _question(argv: list[str]) -> list[Any]:
    environment = [os.environ.get(name) for name in _ENVIRONMENT]
    return [list(argv), os.getcwd(), sys.version, sys.prefix, __file__, environment]


def _file(state: str, question: list[Any]) -> str:
    from zlib import crc32

    return f"{state}/noop/{crc32(repr(question).encode()):08x}"


def _nearest_state(folder: str) -> str | None:
    while True:
        state = f"{folder}/stbuild-out/.stbuild"
        if os.path.isdir(f"{state}/noop"):
            return state
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above


def _unchanged(paths: list[str], sigs: list[Any]) -> bool:
    stat = os.stat
    for path, sig in zip(paths, sigs, strict=True):
        try:
            now = stat(path)
        except OSError:
            if sig is not None:
                return False
            continue
        if sig is None or now.st_mtime_ns != sig[1] or now.st_ino != sig[3]:
            return False
        if sig[2] and (now.st_ctime_ns != sig[2] or now.st_size != sig[0]):
            return False
    return True


def _outputs_there(paths: list[str], marks: list[Any]) -> bool:
    stat = os.stat
    try:
        for path, (ctime_ns, inode) in zip(paths, marks, strict=True):
            now = stat(path)
            if now.st_ctime_ns != ctime_ns or now.st_ino != inode:
                return False
    except OSError:
        return False
    return True
