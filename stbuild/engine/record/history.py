"""The builds of a workspace that are kept: what happened, under which keys, and how the time was spent."""

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stbuild.engine.record.events import is_written
from stbuild.engine.repeat.noop import NOTES, OLD_NOTES

RUNS = "runs.ndjson"
"""`stbuild run` without anything to build: a line each."""
_LOOKED_AT = 200
"""In so many builds is looked for an action's last run."""


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

    @property
    def paths(self) -> tuple[Path, Path, Path]:
        """All three."""
        return self.events, self.keys, self.trace

    @property
    def is_running(self) -> bool:
        """Whether the process that builds lives."""
        return is_written(self.events)

    def read(self, only: str = "") -> list[dict[str, Any]]:
        """The events, or those of one kind; a line that is torn or something else is not one."""
        found = []
        for line in self.events.read_bytes().split(b"\n"):
            if only and not line.startswith(f'{{"event":"{only}"'.encode()):
                continue
            with suppress(ValueError):
                event = json.loads(line)
                found += [event] if isinstance(event, dict) and {"event", "time"} <= set(event) else []
        return found

    def read_keys(self) -> dict[str, str]:
        """The keys; none for a build that was killed."""
        try:
            keys: dict[str, str] = json.loads(self.keys.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return keys

    def remove(self) -> None:
        """Forget the build."""
        for path in self.paths:
            path.unlink(missing_ok=True)


def noops(state: Path) -> list[float]:
    """When a command found nothing to do, in seconds since 1970, the latest last."""
    return [*_times(state / OLD_NOTES), *_times(state / NOTES)]


def runs(state: Path) -> list[float]:
    """When `stbuild run` found nothing to build, in seconds since 1970, the latest last."""
    return _times(state / RUNS)


def _times(notes: Path) -> list[float]:
    try:
        lines = notes.read_bytes().split(b"\n")
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
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    stems = (name.removesuffix(".ndjson") for name in names if name.endswith(".ndjson"))
    return [BuildFiles(number=number, folder=folder) for number in sorted(map(int, stems))]


def last_runs(state: Path, labels: set[str]) -> list[dict[str, Any]]:
    """How each action of these targets was last started, with the number of the build; the newest first."""
    found: dict[str, dict[str, Any]] = {}
    for build in reversed(builds(state)[-_LOOKED_AT:]):
        for event in build.read(only="action_started"):
            if event["label"] in labels and event["id"] not in found:
                found[event["id"]] = {**event, "build": build.number}
    return list(found.values())
