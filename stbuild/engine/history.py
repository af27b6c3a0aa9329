"""The last builds of a workspace: what happened, under which keys, and how the time was spent."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stbuild.engine.events import Event, EventLog

_KEPT = 20


@dataclass(frozen=True, kw_only=True)
class BuildFiles:
    """What one build leaves behind."""

    number: int
    folder: Path

    @property
    def events(self) -> Path:
        """Every event, as NDJSON."""
        return self.folder / f"{self.number:05}.ndjson"

    @property
    def keys(self) -> Path:
        """The key of every action, as JSON."""
        return self.folder / f"{self.number:05}.keys.json"

    @property
    def trace(self) -> Path:
        """The actions over time, for chrome://tracing or https://ui.perfetto.dev."""
        return self.folder / f"{self.number:05}.trace.json"

    def read(self) -> list[dict[str, Any]]:
        """The events; a line that a killed build left torn is not one."""
        found = []
        for line in self.events.read_text().splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    def read_keys(self) -> dict[str, str]:
        """The keys; none for a build that was killed."""
        try:
            keys: dict[str, str] = json.loads(self.keys.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return keys


def builds(state: Path) -> list[BuildFiles]:
    """The builds that are remembered, the newest last."""
    folder = state / "builds"
    numbers = sorted(int(path.stem) for path in folder.glob("*.ndjson")) if folder.is_dir() else []
    return [BuildFiles(number=number, folder=folder) for number in numbers]


class Recorder:
    """Writes down one build as it happens."""

    def __init__(self, state: Path) -> None:
        known = builds(state)
        folder = state / "builds"
        folder.mkdir(parents=True, exist_ok=True)
        self.files = BuildFiles(number=known[-1].number + 1 if known else 1, folder=folder)
        self._log = EventLog(self.files.events)
        self._spans: list[dict[str, Any]] = []
        self._open: dict[str, tuple[float, int]] = {}
        self._lanes: list[str] = []
        for old in known[: max(0, len(known) - _KEPT + 1)]:
            for path in (old.events, old.keys, old.trace):
                path.unlink(missing_ok=True)
        latest = state / "events.ndjson"
        latest.unlink(missing_ok=True)
        os.symlink(os.path.relpath(self.files.events, state), latest)

    def __call__(self, event: Event) -> None:
        """Take down an event."""
        self._log(event)
        name = event.fields.get("id", "")
        if event.kind == "action_started":
            self._open[name] = (event.time_s, self._lane(name))
        elif event.kind in ("action_finished", "action_failed", "action_retried") and name in self._open:
            self._close_span(event, name)

    def close(self, keys: dict[str, str]) -> None:
        """Write keys and trace, and let go of the log."""
        self._log.close()
        self.files.keys.write_text(json.dumps(keys, separators=(",", ":")))
        self.files.trace.write_text(json.dumps({"traceEvents": self._spans}, separators=(",", ":")))

    def _lane(self, name: str) -> int:
        for number, taken in enumerate(self._lanes):
            if not taken:
                self._lanes[number] = name
                return number
        self._lanes.append(name)
        return len(self._lanes) - 1

    def _close_span(self, event: Event, name: str) -> None:
        began, lane = self._open.pop(name)
        self._lanes[lane] = ""
        title = f"{event.fields['label']} {event.fields['mnemonic']}"
        span = {"name": title, "cat": event.kind, "ph": "X", "pid": 1, "tid": lane}
        self._spans.append({**span, "ts": round(began * 1e6), "dur": round((event.time_s - began) * 1e6)})
