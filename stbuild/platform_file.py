"""What a file of a platforms folder defines: a platform whose figures a plan can be made with."""

from functools import reduce
from math import inf
from typing import Any

from stbuild.errors import StbuildError
from stbuild.limits import OTHER_PORTS
from stbuild.platform import Platform

LEAST_SHARE = 0.01
"""Of an SLR that a plan may fill; with less nothing could be told about any design."""


def check_platform(value: Any, name: str) -> Platform:
    """`value`, which the file `name`.py of a platforms folder defines, or a sentence on what it should be."""
    if not isinstance(value, Platform):
        raise StbuildError(
            f"platform {name!r} is a {type(value).__name__}, not a Platform",
            hint=f"platforms/{name}.py defines {name.upper()} = Platform(...)",
        )
    if value.name != name:
        raise StbuildError(
            f"platforms/{name}.py defines a platform named {value.name!r}", hint="use the file's name"
        )
    for figure, (least, most) in _ranges(value).items():
        number = _figure(value, figure)
        if isinstance(number, bool) or not isinstance(number, int | float) or not least <= number <= most:
            raise StbuildError(
                f"platforms/{name}.py: {figure} takes {_range_text(least, most)}, got {number!r}"
            )
    return value


def _ranges(card: Platform) -> dict[str, tuple[float, float]]:
    """The least and the most of each figure that plans divide by or count with."""
    return {
        "limits.share": (LEAST_SHARE, 1.0),
        "limits.dsp_share": (LEAST_SHARE, 1.0),
        "axi.limit": (OTHER_PORTS + 1, inf),
        "memory.banks": (1, inf),
        "memory.bytes_per_bank": (1, inf),
        "clocks.second_mhz": (1, inf),
        "clocks.target_mhz": (1, card.clocks.second_mhz),
        "available.lut": (1, inf),
        "available.ff": (1, inf),
        "available.dsp": (0, inf),
        "available.bram36": (0, inf),
        "available.uram": (0, inf),
    }


def _figure(card: Platform, path: str) -> object:
    """`limits.share` of a platform."""
    start: object = card
    return reduce(getattr, path.split("."), start)


def _range_text(least: float, most: float) -> str:
    return f"{least:g} or more" if most == inf else f"{least:g} to {most:g}"
