"""Which names and paths of a user the engine joins with a folder: each of them is checked here."""

import unicodedata
from functools import lru_cache

PART_BYTES = 200
"""A file name of Linux holds 255 bytes; what is left over is for suffixes such as `.xml`."""
PATH_BYTES = 1000
"""A path of Linux holds 4096 bytes; what is left over is for the folders above it."""
_UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")
"""Control characters, halves of surrogate pairs, separators of lines and of paragraphs."""


@lru_cache(maxsize=1 << 16)
def path_problem(path: str) -> str:
    """Why `path` must not be joined with a folder, as the end of a sentence; '' when it may."""
    if not path:
        return "is empty"
    if path.startswith("/"):
        return "is absolute: it must be relative to its folder"
    if path.endswith("/"):
        return "ends with a slash"
    size = len(path.encode(errors="replace"))
    if size > PATH_BYTES:
        return f"has {size} bytes, more than {PATH_BYTES}"
    problems = (_part_problem(part) for part in path.split("/"))
    return next(filter(None, problems), "")


def text_problem(text: str) -> str:
    """Why `text` cannot be handed to a program, as the end of a sentence; '' when it can."""
    if "\0" in text:
        return "holds the character NUL"
    if not text.isascii() and any(unicodedata.category(letter) == "Cs" for letter in text):
        return "holds half of a surrogate pair, which is no character"
    return ""


def shortened_path(path: str) -> str:
    """A path in quotes for a message, without the middle of a long one."""
    return repr(path if len(path) <= 80 else f"{path[:40]}…{path[-20:]}")


def _part_problem(part: str) -> str:
    if not part:
        return "has two slashes in a row"
    if part in (".", ".."):
        return f"has the part {part!r}: it must stay below its folder"
    if part.startswith("-"):
        return f"has a part that starts with '-', which a program takes for an option: {shortened_path(part)}"
    size = len(part.encode(errors="replace"))
    if size > PART_BYTES:
        return f"has a part of {size} bytes, more than {PART_BYTES}"
    if part.isprintable():
        return ""
    for letter in part:  # Some that are not printable are harmless, such as a no-break space.
        if unicodedata.category(letter) in _UNPRINTABLE:
            return f"holds the character {letter!r}"
    return ""
