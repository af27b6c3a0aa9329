"""The one exception that a user's mistake raises: what is wrong, where, what to do."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

_SHOWN = 20


class StbuildError(Exception):
    """A user's mistake or a failed tool, told in one sentence; never a traceback.

    `where` is a place such as `projects/x/BUILD.yaml:12`; `hint` says what to do about it.
    `exit_code` is 2 for wrong usage and 1 for a build that failed.
    """

    def __init__(
        self, message: str, *, where: str | None = None, hint: str | None = None, exit_code: int = 2
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint
        self.exit_code = exit_code

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}{self.message}{hint}"


class NoRoomError(StbuildError):
    """A write that failed since the disk, or the user's share of it, is full."""

    def __init__(self, place: str, reason: str, exit_code: int = 1) -> None:
        super().__init__(
            f"no room is left to write in {place} ({reason})",
            hint="what finished is kept; make room, and do it again",
            exit_code=exit_code,
        )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest of `known`, or lists the first of them when none is near."""
    names = sorted(set(known))
    near = get_close_matches(name, names, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known: {shortened(names)}" if names else "none is known"


def shortened(names: Sequence[str]) -> str:
    """The names with commas between; of many the first, and how many there are."""
    some = ", ".join(names[:_SHOWN])
    return some if len(names) <= _SHOWN else f"{some}, … ({len(names)} in all)"
