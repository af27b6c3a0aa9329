"""What happens in a build, as values that a display, a log or a test can listen to."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from stbuild.engine.graph.encode import encode

Listener = Callable[["Event"], None]


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
    """Writes events as NDJSON, one line each; a result is durable before its end is written here."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = path.open("wb")

    def __call__(self, event: Event) -> None:
        line = {"event": event.kind, "time": round(event.time_s, 4), **event.fields}
        self._stream.write(encode(line) + b"\n")
        if event.kind in ("action_finished", "action_failed"):
            self._stream.flush()

    def close(self) -> None:
        """Let go of the file."""
        self._stream.close()
