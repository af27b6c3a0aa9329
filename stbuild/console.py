"""What a build looks like: a live display on a terminal, plain lines in a log; both from the same events."""

import os
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from stbuild.engine.execution.build import Report
from stbuild.engine.record.events import Event

if TYPE_CHECKING:
    from rich.console import RenderableType

_SHOWN = 12
_SLOW_S = 30.0
_AGAIN_S = 60.0
_FEW = 60


@dataclass(frozen=True, kw_only=True)
class Run:
    """An action that runs now."""

    title: str
    began_s: float
    last_s: float | None

    @property
    def spent_s(self) -> float:
        """How long it has run."""
        return time.monotonic() - self.began_s

    @property
    def progress(self) -> str:
        """How long it has run, against how long it took last time."""
        return seconds(self.spent_s) + (f" of about {seconds(self.last_s)}" if self.last_s else "")


class Display(Protocol):
    """Hears events until it is closed."""

    def __call__(self, event: Event) -> None:
        """Show what happened."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class PlainDisplay:
    """One line for each thing worth knowing, without control characters; what takes long is told again."""

    def __init__(
        self, stream: TextIO | None = None, *, verbose: bool = False, every_s: float = _AGAIN_S
    ) -> None:
        self._stream = stream or sys.stderr
        self._verbose = verbose
        self._every_s = every_s
        self._total = 0
        self._ended = 0
        self._printed = 0.0
        self._running: dict[str, Run] = {}
        self._closed = threading.Event()
        self._teller: threading.Thread | None = None

    def __call__(self, event: Event) -> None:
        """Print the line of an event, if it has one."""
        name = event.fields.get("id", "")
        line = line_of(event, verbose=self._verbose)
        match event.kind:
            case "build_started":
                self._total = event.fields["pending"]
            case "template_expanded":
                self._total += event.fields["actions"]
            case "action_cached" | "action_clean" if self._total:
                self._total -= 1
            case "action_started":
                self._running[name] = run = run_of(event)
                self._watch()
                if (run.last_s or 0) >= self._every_s and not line:
                    line = f"  start  {run.title} ({seconds(run.last_s or 0)} last time)"
            case "action_retried":
                self._running.pop(name, None)
            case "action_finished" | "action_failed":
                self._ended += 1
                ran = self._running.pop(name, None)
                line = f"[{self._ended}/{self._total}] {line.strip()}" if self._worth_it(event) else ""
                line += _compared(event, ran) if line else ""
        if line:
            print(line, file=self._stream, flush=True)
            self._printed = event.time_s

    def _worth_it(self, event: Event) -> bool:
        """Of a great many quick actions, one a second is enough."""
        slow = event.kind == "action_failed" or event.fields["seconds"] >= 1 or self._verbose
        return slow or self._total <= _FEW or event.time_s - self._printed >= 1

    def close(self) -> None:
        """Tell no more of what runs."""
        self._closed.set()
        if self._teller is not None:
            self._teller.join()

    def _watch(self) -> None:
        if self._teller is None:
            self._teller = threading.Thread(target=self._tell_again, daemon=True)
            self._teller.start()

    def _tell_again(self) -> None:
        while not self._closed.wait(self._every_s):
            for run in list(self._running.values()):
                if run.spent_s >= self._every_s:
                    print(f"  runs   {run.title} ({run.progress})", file=self._stream, flush=True)


class LiveDisplay:
    """Lines that stay for what has ended, and below them what runs and waits."""

    def __init__(self, *, verbose: bool = False) -> None:
        from rich.console import Console
        from rich.live import Live

        self._verbose = verbose
        self._running: dict[str, Run] = {}
        self._waiting: dict[str, str] = {}
        self._counts = {"pending": 0, "ran": 0, "cached": 0, "clean": 0, "failed": 0}
        self._console = Console(stderr=True, highlight=False)
        self._live = Live(
            get_renderable=self._table, console=self._console, transient=True, refresh_per_second=8
        )
        self._started = False
        self._building = False

    def __call__(self, event: Event) -> None:
        """Take an event into the picture."""
        self._count(event)
        name = event.fields.get("id", "")
        if event.kind == "action_started":
            self._running[name] = run_of(event)
            self._waiting.pop(name, None)
            self._start()
        elif event.kind == "action_waiting":
            self._waiting[name] = f"{event.fields['label']} waits for {event.fields['what']}"
        elif event.kind in ("action_finished", "action_failed", "action_retried"):
            self._running.pop(name, None)
        if self._worth_a_line(event):
            self._console.print(line_of(event, verbose=self._verbose), markup=False, soft_wrap=True)

    def close(self) -> None:
        """Take the live part down."""
        if self._started:
            self._live.stop()
            self._started = False

    def _worth_a_line(self, event: Event) -> bool:
        if event.kind == "action_finished" and not self._verbose:
            return bool(event.fields["seconds"] > _SLOW_S)
        return bool(line_of(event, verbose=self._verbose))

    def _start(self) -> None:
        if not self._started:
            self._started = True
            self._live.start()

    def _count(self, event: Event) -> None:
        match event.kind:
            case "build_started":
                self._building = True
                self._counts.update({key: event.fields[key] for key in ("pending", "clean", "cached")})
            case "template_expanded":
                self._counts["pending"] += event.fields["actions"]
            case "action_cached" if self._building:
                self._counts["cached"] += 1
                self._counts["pending"] -= 1
            case "action_clean":
                self._counts["clean"] += 1
                self._counts["pending"] -= 1
            case "action_finished":
                self._counts["ran"] += 1
            case "action_failed":
                self._counts["failed"] += 1

    def _table(self) -> "RenderableType":
        from rich.table import Table

        counts = self._counts
        table = Table.grid(padding=(0, 1))
        ended = counts["ran"] + counts["failed"]
        head = f"{ended} of {counts['pending']} run, {counts['cached'] + counts['clean']} cached"
        if counts["failed"]:
            head += f", [red]{counts['failed']} failed[/]"
        table.add_row("[bold]stbuild[/]", head)
        for run in list(self._running.values())[:_SHOWN]:
            table.add_row(f"[cyan]{run.progress:>8}[/]", _plain(run.title))
        if len(self._running) > _SHOWN:
            table.add_row("", f"and {len(self._running) - _SHOWN} more")
        for text in list(self._waiting.values())[:3]:
            table.add_row("[yellow]waiting[/]", _plain(text))
        return table


def run_of(event: Event) -> Run:
    """What has begun."""
    title = f"{event.fields['label']} {event.fields['mnemonic']}"
    return Run(title=title, began_s=time.monotonic(), last_s=event.fields.get("last_s"))


def line_of(event: Event, *, verbose: bool) -> str:
    """An event as one line; '' when it is not worth one."""
    fields = event.fields
    match event.kind:
        case "warning":
            return f"warning: {fields['message']}"
        case "build_started" if fields["pending"] and fields["clean"] + fields["cached"]:
            return (
                f"  to do  {fields['pending']}; {fields['cached']} from the cache, {fields['clean']} in place"
            )
        case "action_started" if verbose:
            return f"  start  {fields['label']} {fields['mnemonic']}: {' '.join(fields['argv'])}"
        case "action_finished":
            return f"  ran    {fields['label']} {fields['mnemonic']} ({seconds(fields['seconds'])})"
        case "action_failed":
            return f"  FAILED {fields['label']} {fields['mnemonic']} ({seconds(fields['seconds'])})"
        case "action_cached" if verbose:
            return f"  cached {fields['label']} {fields['mnemonic']}"
        case "action_waiting":
            return f"  waits  {fields['label']} {fields['mnemonic']} for {fields['what']}"
        case "action_retried":
            reason = f"{fields['reason']}: {fields['line']}" if fields["line"] else fields["reason"]
            return f"  retry  {fields['label']} {fields['mnemonic']} {reason} (try {fields['attempt'] + 1})"
        case "kept":
            return f"  kept   {fields['label']}: {fields['command']}"
    return ""


def make_display(*, plain: bool, verbose: bool) -> Display:
    """The live display on a terminal that can show one, plain lines elsewhere."""
    if plain or not sys.stderr.isatty() or os.environ.get("TERM", "dumb") == "dumb" or os.environ.get("CI"):
        return PlainDisplay(verbose=verbose)
    return LiveDisplay(verbose=verbose)


def status_line(report: Report) -> str:
    """The first of the closing lines: how it went, what ran, what did not need to."""
    word = "failed" if report.failures else "done"
    parts = [f"{report.ran} run", f"{report.cached + report.clean} cached"]
    if report.failures:
        parts.append(f"{len(report.failures)} failed")
    if report.left_out:
        parts.append(f"{len(report.left_out)} not tried")
    return f"{word}: {', '.join(parts)} in {seconds(report.seconds)}"


def seconds(value: float) -> str:
    """A duration as a person reads it."""
    if value < 60:
        return f"{value:.1f} s" if value >= 0.1 else f"{value:.2f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def _compared(event: Event, ran: Run | None) -> str:
    """How long a long action took last time, if that was not about the same."""
    last, now = (ran.last_s if ran else None) or 0.0, event.fields["seconds"]
    differs = max(last, now) > _SLOW_S and not 0.8 * now <= last <= 1.25 * now
    return f", {seconds(last)} last time" if last and differs else ""


def _plain(text: str) -> Any:
    from rich.text import Text

    return Text(text)
