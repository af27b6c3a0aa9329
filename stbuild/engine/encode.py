"""Plain values as compact JSON; a build writes some ten such texts for each action."""

import json
from typing import Any

import orjson


def encode(value: Any) -> bytes:
    """One line of JSON, without its end. A name that is not UTF-8 is escaped as Python's `json` does."""
    return _encode(value, 0)


def encode_sorted(value: Any) -> bytes:
    """The same text for the same value, whatever the order of its keys."""
    return _encode(value, orjson.OPT_SORT_KEYS)


def _encode(value: Any, options: int) -> bytes:
    try:
        return orjson.dumps(value, option=options)
    except TypeError:
        return json.dumps(value, separators=(",", ":"), sort_keys=bool(options)).encode()
