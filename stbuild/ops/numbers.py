"""Numbers by run or by head, as a type of hls_lib carries them into a process."""

from collections.abc import Iterable

from stbuild.ir.call import TypeArgument

WINDOWS = "windows"
"""The part of a process's C++ that says how many positions a query sees in each run."""


def numbers(values: Iterable[int]) -> str:
    """The type that holds `values`."""
    return f"stb::Numbers<{', '.join(map(str, values))}>"


def windows_type(windows: tuple[int, ...]) -> TypeArgument:
    """The window of each run."""
    return TypeArgument(parameter="WINDOWS", part=WINDOWS, definition=numbers(windows))
