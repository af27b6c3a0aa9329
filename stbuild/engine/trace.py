"""A build over time in the Trace Event Format, for https://ui.perfetto.dev and chrome://tracing.

It is written as it happens, as the format's JSON array: what a killed build leaves can be loaded too, since
the format lets the closing bracket be missing.
"""

import json
from pathlib import Path
from typing import Any

from stbuild.engine.events import Event

_CACHE_LANE = 1_000_000
_ENDS = ("action_finished", "action_failed", "action_retried")


class TraceWriter:
    """One lane for each job slot, instants for what came from the cache, and counters."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("w")
        self._stream.write("[\n")
        self._first = True
        self._zero_s: float | None = None
        self._open: dict[str, int] = {}
        self._lanes: list[str] = []
        self._waiting: dict[str, str] = {}
        self._counts = {"done": 0, "failed": 0}
        self._name_lane(_CACHE_LANE, "cache")

    def __call__(self, event: Event) -> None:
        """Write what an event looks like."""
        if self._zero_s is None:
            self._zero_s = event.time_s
        name = event.fields.get("id", "")
        match event.kind:
            case "command":
                self._write(
                    "M", 0, event, name="process_name", args={"name": f"stbuild {event.fields['argv']}"}
                )
            case "action_cached":
                args = {"saved_s": event.fields["saved_s"]}
                self._write(
                    "i", _CACHE_LANE, event, name=event.fields["label"], cat="cached", s="t", args=args
                )
            case "action_waiting":
                self._waiting[name] = what = f"{event.fields['label']} waits for {event.fields['what']}"
                self._write("b", 0, event, name=what, cat="waiting", id=name)
            case "action_started":
                self._begin(event, name)
            case "warning":
                self._write("i", 0, event, name=event.fields["message"], cat="warning", s="g")
        if event.kind in _ENDS and name in self._open:
            self._end(event, name)

    def close(self) -> None:
        """End the array and let go of the file."""
        self._stream.write("\n]\n")
        self._stream.close()

    def _begin(self, event: Event, name: str) -> None:
        waited = self._waiting.pop(name, None)
        if waited is not None:
            self._write("e", 0, event, name=waited, cat="waiting", id=name)
        lane = self._lane(name)
        self._open[name] = lane
        fields = event.fields
        args = {key: fields[key] for key in ("id", "key", "reason", "last_s")}
        title = f"{fields['label']} {fields['mnemonic']}"
        self._write("B", lane, event, name=title, cat=fields["mnemonic"], args=args)
        self._count(event)

    def _end(self, event: Event, name: str) -> None:
        lane = self._open.pop(name)
        self._lanes[lane - 1] = ""
        args = {"ended": event.kind.removeprefix("action_")}
        args.update({key: event.fields[key] for key in ("reason", "line", "peak_kb") if key in event.fields})
        self._write("E", lane, event, args=args)
        if event.kind != "action_retried":
            self._counts["done" if event.kind == "action_finished" else "failed"] += 1
        self._count(event)
        self._stream.flush()

    def _count(self, event: Event) -> None:
        self._write("C", 0, event, name="running", args={"actions": len(self._open)})
        self._write("C", 0, event, name="ended", args=dict(self._counts))

    def _lane(self, name: str) -> int:
        """The number, from 1, of a job slot that is free now."""
        for number, taken in enumerate(self._lanes, start=1):
            if not taken:
                self._lanes[number - 1] = name
                return number
        self._lanes.append(name)
        self._name_lane(len(self._lanes), f"job {len(self._lanes)}")
        return len(self._lanes)

    def _name_lane(self, lane: int, name: str) -> None:
        self._put({"ph": "M", "pid": 1, "tid": lane, "name": "thread_name", "args": {"name": name}})
        self._put(
            {"ph": "M", "pid": 1, "tid": lane, "name": "thread_sort_index", "args": {"sort_index": lane}}
        )

    def _write(self, phase: str, lane: int, event: Event, **fields: Any) -> None:
        ts = round((event.time_s - (self._zero_s or 0.0)) * 1e6)
        self._put({"ph": phase, "pid": 1, "tid": lane, "ts": ts, **fields})

    def _put(self, line: dict[str, Any]) -> None:
        self._stream.write(("" if self._first else ",\n") + json.dumps(line, separators=(",", ":")))
        self._first = False
