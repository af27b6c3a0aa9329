"""Peak memory of all processes below this one, sampled from /proc."""

import ctypes
import os
import time
from pathlib import Path
from threading import Event, Thread
from types import TracebackType

PR_SET_CHILD_SUBREAPER = 36
INTERVAL_S = 0.2
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class PeakMemory:
    """While it is open: the largest sum of resident memory over this process's descendants.

    Pages that several processes share count once for each, so this is an upper bound. Orphans stay
    descendants, because this process adopts them.
    """

    def __init__(self) -> None:
        self.peak_bytes = 0
        self._ended = Event()
        self._thread = Thread(target=self._sample, daemon=True)

    def __enter__(self) -> "PeakMemory":
        if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "this process cannot adopt orphans")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._ended.is_set():
            self.peak_bytes = max(self.peak_bytes, descendants_bytes(os.getpid()))
            time.sleep(INTERVAL_S)


def descendants_bytes(root: int) -> int:
    """Resident memory of all processes that descend from `root`, itself aside."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        parent = _field(folder / "stat", 1)
        if parent is not None:
            children.setdefault(parent, []).append(int(folder.name))
    total, waiting = 0, list(children.get(root, ()))
    while waiting:
        pid = waiting.pop()
        waiting += children.get(pid, ())
        total += _field(Path(f"/proc/{pid}/statm"), 1) or 0
    return total * PAGE_BYTES


def _field(file: Path, number: int) -> int | None:
    """A number of /proc/PID/statm, or of /proc/PID/stat behind the command; None when the process is gone."""
    try:
        return int(file.read_text().rpartition(")")[2].split()[number])
    except OSError:
        return None
