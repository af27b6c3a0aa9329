"""XRT's scheduler of launches in emulation: a thread that may miss a launch which begins as it falls asleep.

It looks for work and then waits, but is notified without the lock in between (`schedule` in XRT's sws.cpp).
On a busy machine one launch was seen that never ended; that this is why is inferred from the source, not
proven. So none begins before the thread sleeps.
"""

import os
import time
from pathlib import Path

SHORT_S, LIMIT_S = 20e-6, 0.1
TASKS = Path("/proc/self/task")


def threads() -> frozenset[str]:
    """The threads of this process."""
    return frozenset(task.name for task in TASKS.iterdir())


class Scheduler:
    """The threads that XRT has made, one of which is its scheduler."""

    def __init__(self, names: frozenset[str], limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s
        self._states = [os.open(TASKS / name / "stat", os.O_RDONLY | os.O_CLOEXEC) for name in sorted(names)]

    def await_sleep(self) -> None:
        """Until all of them sleep; not longer than `limit_s`, for the sake of one that never does."""
        deadline = time.monotonic() + self._limit_s
        while not all(map(_sleeps, self._states)) and time.monotonic() < deadline:
            time.sleep(SHORT_S)


def _sleeps(state: int) -> bool:
    """Whether the third field, behind the name in brackets, is S; a thread that has ended sleeps too."""
    try:
        return os.pread(state, 128, 0).rpartition(b")")[2][1:2] == b"S"
    except ProcessLookupError:
        return True
