"""Plain values as compact JSON; a build writes some ten such texts for each action."""

import json
from typing import Any

from msgspec.json import Encoder

_AS_GIVEN = Encoder()
_SORTED = Encoder(order="deterministic")


def encode(value: Any) -> bytes:
    """One line of JSON, without its end; by Python's `json` where a name is not UTF-8."""
    try:
        return _AS_GIVEN.encode(value)
    except (UnicodeEncodeError, TypeError):
        return json.dumps(value, separators=(",", ":")).encode()


def encode_sorted(value: Any) -> bytes:
    """The same text for the same value, whatever the order of its keys."""
    try:
        return _SORTED.encode(value)
    except (UnicodeEncodeError, TypeError):
        return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
