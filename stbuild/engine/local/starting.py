"""Starts the program of a request: in a new process, or in the calling process itself.

The spawner loads this file by path, so it imports the standard library only.
"""

import contextlib
import os
import signal
from typing import Any

if __package__:
    from stbuild.engine.local.simple import simple
else:
    from simple import simple  # type: ignore[import-not-found,no-redef]

WRITTEN = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ)
"""What Python or we handle otherwise than a program expects; an action gets the defaults."""


def spawn(request: dict[str, Any], log: int) -> int:
    """Start without fork, which would copy our page tables; no other thread runs now, so we may move."""
    os.chdir(request["cwd"])
    short = simple(request["argv"], request["env"])
    if short is not None:
        with contextlib.suppress(OSError):
            return _posix_spawn(short.path, short.argv, short.env, log, short.output)
    return _posix_spawn(request["argv"][0], request["argv"], request["env"], log, "")


def _posix_spawn(path: str, argv: list[str], env: dict[str, str], log: int, output: str) -> int:
    actions = [
        (os.POSIX_SPAWN_DUP2, log, 2),
        (os.POSIX_SPAWN_OPEN, 1, output, WRITTEN, 0o666) if output else (os.POSIX_SPAWN_DUP2, 2, 1),
    ]
    start = os.posix_spawn if "/" in path else os.posix_spawnp
    return start(path, argv, env, file_actions=actions, setsid=True, setsigdef=SIGNALS)


def become(request: dict[str, Any], log: int) -> None:
    """Be the action's program; returns never, or raises."""
    short = simple(request["argv"], request["env"])
    if short is not None:
        with contextlib.suppress(OSError):
            if short.output:
                os.dup2(os.open(short.output, WRITTEN, 0o666), 1)
            os.execve(short.path, short.argv, short.env)
        os.dup2(log, 1)
    os.execvpe(request["argv"][0], request["argv"], request["env"])
