"""Numbers as Vitis prints them, which are often missing, unknown or a range."""

import re
from typing import Any

_NUMBER = re.compile(r"-?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?")


def number(text: Any) -> float | None:
    """The number in a cell such as `3.7`, `1,024`, `4.00 ns`, `52 (~0%)` or `2 ~ 196626` (its upper end).

    None for what stands for no number: `-`, `?`, `undef`, `inf`, `~0` (below one per cent), nothing.
    """
    if isinstance(text, dict):
        return range_end(text)
    if text is None:
        return None
    words = str(text).replace(",", "").split("(")[0].split("[")[0].strip().removeprefix("<")
    if "~" in words:
        words = words.rpartition("~")[2].strip() if words.partition("~")[0].strip() else ""
    found = _NUMBER.match(words)
    return float(found[0]) if found else None


def whole(text: Any) -> int | None:
    """`number` as a whole one."""
    value = number(text)
    return None if value is None else round(value)


def range_end(value: dict[str, Any]) -> float | None:
    """The upper end of csynth.xml's `<range><min>…</min><max>…</max></range>`."""
    inner = value.get("range", value)
    return number(inner.get("max")) if isinstance(inner, dict) else None
