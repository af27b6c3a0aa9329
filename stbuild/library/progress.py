"""What a build tells while it goes on, for a callback: `compile_model(..., progress=print)`."""

from collections.abc import Callable
from dataclasses import dataclass

from stbuild.console import line_of
from stbuild.engine.record.events import Event


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Something that happened; `done` of `total` actions have a result, `total` is 0 before it is known."""

    text: str
    done: int = 0
    total: int = 0

    def __str__(self) -> str:
        return f"[{self.done}/{self.total}] {self.text}" if self.total else self.text


_ENDS = ("action_finished", "action_failed", "action_cached", "action_clean")

Listener = Callable[[Progress], object]


class ProgressEvents:
    """Turns the events of one build into `Progress`."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._done = 0
        self._total = 0

    def __call__(self, event: Event) -> None:
        """Tell of an event, if it is worth a line."""
        if event.kind == "build_started":
            self._total = event.fields["pending"]
        if event.kind == "template_expanded":
            self._total += event.fields["actions"]
        if event.kind in _ENDS and self._total:
            self._done += 1
        line = line_of(event, verbose=event.kind == "action_cached").strip()
        if line:
            self._listener(Progress(text=" ".join(line.split()), done=self._done, total=self._total))
