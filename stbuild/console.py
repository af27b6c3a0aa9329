"""What a build looks like on a terminal: plain lines here; the live display is made of the same events."""

import sys
from typing import TextIO

from stbuild.engine.build import Report
from stbuild.engine.events import Event


class PlainDisplay:
    """One line for each thing worth knowing, without control characters."""

    def __init__(self, stream: TextIO | None = None, *, verbose: bool = False) -> None:
        self._stream = stream or sys.stderr
        self._verbose = verbose

    def __call__(self, event: Event) -> None:
        line = self._line(event)
        if line:
            print(line, file=self._stream, flush=True)

    def close(self) -> None:
        """Nothing to take down."""

    def _line(self, event: Event) -> str:
        fields = event.fields
        match event.kind:
            case "warning":
                return f"warning: {fields['message']}"
            case "action_started" if self._verbose:
                return f"  start  {fields['label']} {fields['mnemonic']}: {' '.join(fields['argv'])}"
            case "action_finished":
                return f"  ran    {fields['label']} {fields['mnemonic']} ({seconds(fields['seconds'])})"
            case "action_cached" if self._verbose:
                return f"  cached {fields['label']} {fields['mnemonic']}"
            case "action_retried":
                return f"  retry  {fields['label']} {fields['mnemonic']} {fields['reason']} (try {fields['attempt'] + 1})"
            case "kept":
                return f"  kept   {fields['label']}: {fields['command']}"
        return ""


def status_line(report: Report) -> str:
    """The first of the closing lines: how it went, what ran, what did not need to."""
    word = "failed" if report.failures else "done"
    parts = [f"{report.ran} run", f"{report.cached + report.clean} cached"]
    if report.failures:
        parts.append(f"{len(report.failures)} failed")
    if report.left_out:
        parts.append(f"{report.left_out} not tried")
    return f"{word}: {', '.join(parts)} in {seconds(report.seconds)}"


def seconds(value: float) -> str:
    """A duration as a person reads it."""
    if value < 60:
        return f"{value:.1f} s" if value >= 0.1 else f"{value:.2f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
