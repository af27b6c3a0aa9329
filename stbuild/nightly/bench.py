"""What all places of the matrix share in a night."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stbuild.engine.load.workspace import Workspace
from stbuild.engine.record.events import Event
from stbuild.nightly.history import Reader
from stbuild.nightly.plan import Plan
from stbuild.nightly.runs import Request
from stbuild.nightly.values import Night

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Bench:
    """`folder` takes logs and reports; `opener` is the function that opens devices, as in `Request`."""

    workspace: Workspace
    plan: Plan
    history: Reader
    night: Night
    folder: Path
    tell: Tell
    opener: str = Request.opener

    @property
    def host(self) -> str:
        """The name of this machine."""
        return self.night.host

    def hear(self, event: Event) -> None:
        """Tell the warnings of a build, such as that it waits for another one."""
        if event.kind == "warning":
            self.tell(f"warning: {event.fields['message']}")
