"""What happens in a build, as values that a display, a log or a test can listen to."""

import fcntl
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from stbuild.engine.graph.encode import encode

Listener = Callable[["Event"], None]

SCHEMA = 1
"""The version of docs/events.schema.json; it grows when a field changes its meaning."""
_FLUSH_S = 0.1
"""Hits come by the thousand; so long they may wait for each other."""


class Event(Struct, frozen=True, kw_only=True):
    """One thing that happened; `fields` are plain values."""

    kind: str
    time_s: float
    fields: dict[str, Any] = field(default_factory=dict)


class Events:
    """Hands every event to every listener."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = list(listeners)

    def add(self, listener: Listener) -> None:
        """Let `listener` hear what happens from now on."""
        self._listeners.append(listener)

    def emit(self, kind: str, **fields: Any) -> None:
        """Tell that something happened."""
        event = Event(kind=kind, time_s=time.time(), fields=fields)
        for listener in self._listeners:
            listener(event)


class EventLog:
    """Writes events as NDJSON, one line each, as they happen; docs/events.schema.json says what stands there.

    A result is durable before its end is written here. While the log is open the file is locked, so that
    `is_written` tells a build that runs from one that was killed.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = path.open("wb")
        with suppress(OSError):  # Some network file systems have no locks.
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._flushed_s = 0.0

    def __call__(self, event: Event) -> None:
        line = {"event": event.kind, "time": round(event.time_s, 4), **event.fields}
        self._stream.write(encode(line) + b"\n")
        if event.kind != "action_cached" or event.time_s - self._flushed_s > _FLUSH_S:
            self._stream.flush()
            self._flushed_s = event.time_s

    def close(self) -> None:
        """Let go of the file."""
        self._stream.close()


def is_written(path: Path) -> bool:
    """Whether a log is open in a process that lives."""
    try:
        with path.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
