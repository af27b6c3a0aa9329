"""Writes down one build as it happens."""

import json
import os
from pathlib import Path
from typing import Any

from stbuild.engine.record.events import Event, EventLog
from stbuild.engine.record.history import RUNS, BuildFiles, builds
from stbuild.engine.record.retention import Retention, sweep
from stbuild.engine.record.trace import TraceWriter

_RUNS_BYTES = 1 << 20
"""Some ten thousand lines; then the older half goes."""


class Recorder:
    """A build's events, trace and keys; `stbuild run` without anything to build leaves one line."""

    def __init__(self, state: Path, keep: Retention) -> None:
        known = builds(state)
        folder = state / "builds"
        folder.mkdir(parents=True, exist_ok=True)
        self.files = BuildFiles(number=known[-1].number + 1 if known else 1, folder=folder)
        self._log = EventLog(self.files.events)
        self._trace = TraceWriter(self.files.trace)
        self._state = state
        self._command: Event | None = None
        self._finished: Event | None = None
        sweep(known, keep)

    def __call__(self, event: Event) -> None:
        """Take down an event."""
        if self._command is None and event.kind != "warning":
            self._command = event
            self._point(self.files)
        if event.kind == "build_finished":
            self._finished = event
        self._log(event)
        self._trace(event)

    def close(self, keys: dict[str, str]) -> None:
        """Write the keys, and let go of log and trace; a request that was refused is no build."""
        self._log.close()
        self._trace.close()
        if self._command is None:
            self.files.remove()
        elif self._built_nothing():
            self._note_run()
        else:
            self.files.keys.write_text(json.dumps(keys, separators=(",", ":")))

    def _built_nothing(self) -> bool:
        """Whether this was `stbuild run`, for which everything was at hand."""
        assert self._command is not None
        done = self._finished
        found = done is not None and not (done.fields["ran"] or done.fields["failed"])
        return found and self._command.fields.get("origin") == "run"

    def _note_run(self) -> None:
        assert self._command is not None
        self.files.remove()
        known = builds(self._state)
        if known:
            self._point(known[-1])
        note: dict[str, Any] = {"event": "run", "time": round(self._command.time_s, 4)}
        note["argv"] = self._command.fields["argv"]
        path = self._state / RUNS
        if path.is_file() and path.stat().st_size > _RUNS_BYTES:
            lines = path.read_bytes().splitlines(keepends=True)
            path.write_bytes(b"".join(lines[len(lines) // 2 :]))
        with path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(note, separators=(",", ":")) + "\n")

    def _point(self, files: BuildFiles) -> None:
        """Let `events.ndjson` and `trace.json` lead to the last build."""
        for name, target in (("events.ndjson", files.events), ("trace.json", files.trace)):
            link = self._state / name
            link.unlink(missing_ok=True)
            os.symlink(os.path.relpath(target, link.parent), link)
