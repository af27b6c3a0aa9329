"""Kills what an earlier build has left running when its engine, spawner and keepers were all killed."""

import contextlib
import os
import signal


def end_orphans(work: str) -> int:
    """Kill the processes of actions that stand below `work`; only the holder of the lock may ask.

    A user's shell or editor that stands there is none: it does not have an action's HOME, and has a parent.
    """
    ended = 0
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{name}/cwd").startswith(f"{work}/") and _is_action(name, work):
                os.kill(int(name), signal.SIGKILL)
                ended += 1
    return ended


def _is_action(pid: str, work: str) -> bool:
    with open(f"/proc/{pid}/environ", "rb") as environ, open(f"/proc/{pid}/stat", "rb") as status:
        parent = int(status.read().rpartition(b")")[2].split()[1])
        return parent == 1 or f"HOME={work}/".encode() in environ.read()
