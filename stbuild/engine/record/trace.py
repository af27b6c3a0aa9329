"""A build over time in the Trace Event Format, for https://ui.perfetto.dev and chrome://tracing.

It is written as it happens, as the format's JSON array: what a killed build leaves can be loaded too, since
the format lets the closing bracket be missing.
"""

from pathlib import Path

from stbuild.engine.graph.encode import encode
from stbuild.engine.record.events import Event

_CACHE_LANE = 1_000_000
_FLUSH_S = 0.2
_COUNT_S = 0.01
"""Counters that change more often than this are written once for all changes."""

_ENDS = ("action_finished", "action_failed", "action_retried")


class TraceWriter:
    """One lane for each job slot, instants for what came from the cache, and counters."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("w", encoding="utf-8")
        self._stream.write("[\n")
        self._first = True
        self._zero_s: float | None = None
        self._flushed_s = 0.0
        self._now_s = 0.0
        self._counted_s = 0.0
        self._uncounted = False
        self._open: dict[str, int] = {}
        self._lanes: list[str] = []
        self._waiting: dict[str, str] = {}
        self._counts = {"done": 0, "failed": 0}
        self._name_lane(_CACHE_LANE, "cache")

    def __call__(self, event: Event) -> None:
        """Write what an event looks like."""
        rest_s = max(event.time_s - self._now_s, self._now_s - self._counted_s)
        if self._uncounted and rest_s > _COUNT_S:
            self._count()
        self._now_s = event.time_s
        if self._zero_s is None:
            self._zero_s = event.time_s
        fields = event.fields
        name = fields.get("id", "")
        match event.kind:
            case "command":
                title = _json(f"stbuild {fields['argv']}")
                self._write("M", 0, f'"name":"process_name","args":{{"name":{title}}}')
            case "action_cached":
                what = f'"name":{_json(fields["label"])},"cat":"cached","s":"t"'
                self._write("i", _CACHE_LANE, f'{what},"args":{{"saved_s":{fields["saved_s"]}}}')
            case "action_waiting":
                waits = f"{fields['label']} waits for {fields['what']}"
                self._waiting[name] = f'"name":{_json(waits)},"cat":"waiting","id":{_json(name)}'
                self._write("b", 0, self._waiting[name])
            case "action_started":
                self._begin(event, name)
            case "warning":
                self._write("i", 0, f'"name":{_json(fields["message"])},"cat":"warning","s":"g"')
        if event.kind in _ENDS and name in self._open:
            self._end(event, name)

    def close(self) -> None:
        """End the array and let go of the file."""
        self._count()
        self._stream.write("\n]\n")
        self._stream.close()

    def _begin(self, event: Event, name: str) -> None:
        waited = self._waiting.pop(name, None)
        if waited is not None:
            self._write("e", 0, waited)
        self._open[name] = lane = self._lane(name)
        fields = event.fields
        title, kind = _json(f"{fields['label']} {fields['mnemonic']}"), _json(fields["mnemonic"])
        args = _json({key: fields[key] for key in ("id", "key", "reason", "last_s")})
        self._write("B", lane, f'"name":{title},"cat":{kind},"args":{args}')
        self._uncounted = True

    def _end(self, event: Event, name: str) -> None:
        lane = self._open.pop(name)
        self._lanes[lane - 1] = ""
        args = {"ended": event.kind.removeprefix("action_")}
        args.update({key: event.fields[key] for key in ("reason", "line", "peak_kb") if key in event.fields})
        self._write("E", lane, f'"args":{_json(args)}')
        if event.kind != "action_retried":
            self._counts["done" if event.kind == "action_finished" else "failed"] += 1
        self._uncounted = True
        if event.time_s - self._flushed_s > _FLUSH_S:
            self._flushed_s = event.time_s
            self._stream.flush()

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
        place = f'"pid":1,"tid":{lane}'
        self._put(f'{{"ph":"M",{place},"name":"thread_name","args":{{"name":{_json(name)}}}}}')
        self._put(f'{{"ph":"M",{place},"name":"thread_sort_index","args":{{"sort_index":{lane}}}}}')

    def _count(self) -> None:
        """Write the counters as they are since the last event."""
        self._counted_s, self._uncounted = self._now_s, False
        self._write("C", 0, f'"name":"running","args":{{"actions":{len(self._open)}}}')
        self._write("C", 0, f'"name":"ended","args":{_json(self._counts)}')

    def _write(self, phase: str, lane: int, rest: str) -> None:
        ts = round((self._now_s - (self._zero_s or 0.0)) * 1e6)
        self._put(f'{{"ph":"{phase}","pid":1,"tid":{lane},"ts":{ts},{rest}}}')

    def _put(self, line: str) -> None:
        self._stream.write(line if self._first else f",\n{line}")
        self._first = False


def _json(value: object) -> str:
    return encode(value).decode()
