"""The last builds of a workspace: what happened, under which keys, and how the time was spent."""

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stbuild.engine.record.events import Event, EventLog
from stbuild.engine.record.trace import TraceWriter
from stbuild.engine.repeat.noop import NOTES

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

    def read(self, only: str = "") -> list[dict[str, Any]]:
        """The events, or those of one kind; a line that a killed build left torn is not one."""
        found = []
        for line in self.events.read_bytes().split(b"\n"):
            if only and not line.startswith(f'{{"event":"{only}"'.encode()):
                continue
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


def noops(state: Path) -> list[float]:
    """When a command found nothing to do, in seconds since 1970, the latest last."""
    try:
        lines = (state / NOTES).read_bytes().split(b"\n")
    except OSError:
        return []
    found = []
    for line in lines:
        with suppress(ValueError, KeyError, TypeError):
            found.append(float(json.loads(line)["time"]))
    return found


def builds(state: Path) -> list[BuildFiles]:
    """The builds that are remembered, the newest last."""
    folder = state / "builds"
    numbers = sorted(int(path.stem) for path in folder.glob("*.ndjson")) if folder.is_dir() else []
    return [BuildFiles(number=number, folder=folder) for number in numbers]


def last_runs(state: Path, labels: set[str]) -> list[dict[str, Any]]:
    """How each action of these targets was last started, with the number of the build; the newest first."""
    found: dict[str, dict[str, Any]] = {}
    for build in reversed(builds(state)):
        for event in build.read(only="action_started"):
            if event["label"] in labels and event["id"] not in found:
                found[event["id"]] = {**event, "build": build.number}
    return list(found.values())


class Recorder:
    """Writes down one build as it happens."""

    def __init__(self, state: Path) -> None:
        known = builds(state)
        folder = state / "builds"
        folder.mkdir(parents=True, exist_ok=True)
        self.files = BuildFiles(number=known[-1].number + 1 if known else 1, folder=folder)
        self._log = EventLog(self.files.events)
        self._trace = TraceWriter(self.files.trace)
        self._state = state
        self._heard = False
        for old in known[: max(0, len(known) - _KEPT + 1)]:
            for path in (old.events, old.keys, old.trace):
                path.unlink(missing_ok=True)

    def __call__(self, event: Event) -> None:
        """Take down an event."""
        if not self._heard:
            self._heard = True
            _point(self._state / "events.ndjson", self.files.events)
            _point(self._state / "trace.json", self.files.trace)
        self._log(event)
        self._trace(event)

    def close(self, keys: dict[str, str]) -> None:
        """Write the keys, and let go of log and trace; a request that was refused is no build."""
        self._log.close()
        self._trace.close()
        if not self._heard:
            self.files.events.unlink(missing_ok=True)
            self.files.trace.unlink(missing_ok=True)
            return
        self.files.keys.write_text(json.dumps(keys, separators=(",", ":")))


def _point(link: Path, target: Path) -> None:
    link.unlink(missing_ok=True)
    os.symlink(os.path.relpath(target, link.parent), link)
