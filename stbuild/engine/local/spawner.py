"""The process that forks the keepers of actions; when the engine is gone, so is everything that it started.

It runs as a script without site-packages. Each byte on its one socket brings the socket of a new keeper; the
end of file means that the engine has closed it or died. It is the subreaper of the keepers: should one be
killed, what its action has left becomes a child of this process and is killed too.
"""

import contextlib
import os
import select
import signal
import socket
import sys
import time

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from keeper import Keeper, network_spaces  # type: ignore[import-not-found]  # by path: beside this script
    from processes import (  # type: ignore[import-not-found]
        GRACE_S,
        adopt_orphans,
        end_descendants,
        kill,
        orphans,
        waker,
    )
    from starting import SIGNALS  # type: ignore[import-not-found]
else:
    from stbuild.engine.local.keeper import Keeper, network_spaces
    from stbuild.engine.local.processes import (
        GRACE_S,
        adopt_orphans,
        end_descendants,
        kill,
        orphans,
        waker,
    )
    from stbuild.engine.local.starting import SIGNALS

SANDBOXED, OPEN = b"s", b"o"
"""The byte that comes with a keeper's socket: whether its actions will be sandboxed."""


class Spawner:
    """Forks a keeper for each socket that it receives."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._keepers: set[int] = set()
        self._spaces: list[int] | None = None
        adopt_orphans()
        self._wake = waker()
        for number in SIGNALS[:3]:
            signal.signal(number, signal.SIG_IGN)

    def run(self) -> None:
        """Serve until the engine closes its end or dies."""
        while True:
            ready, _, _ = select.select([self._channel, self._wake], [], [])
            if self._wake in ready:
                self._reap()
            if self._channel in ready and not self._receive():
                return

    def end(self) -> None:
        """Wait for the keepers, who have seen the end of their sockets too, and kill what is left."""
        deadline = time.monotonic() + 2 * GRACE_S
        while self._keepers and time.monotonic() < deadline:
            self._reap()
            time.sleep(0.002)
        end_descendants()

    def _receive(self) -> bool:
        try:
            kind, handles, _, _ = socket.recv_fds(self._channel, 1, 1)
        except ConnectionError:
            return False
        if kind:
            self._fork(handles[0], sandboxed=kind == SANDBOXED)
        return bool(kind)

    def _fork(self, handle: int, *, sandboxed: bool) -> None:
        if sandboxed and self._spaces is None:
            self._spaces = network_spaces()
        pid = os.fork()
        if pid:
            os.close(handle)
            self._keepers.add(pid)
            return
        try:
            self._channel.close()
            Keeper(socket.socket(fileno=handle), self._spaces).run()
        finally:
            os._exit(0)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake, 4096)
        lost = False
        with contextlib.suppress(ChildProcessError):
            while pid := os.waitpid(-1, os.WNOHANG)[0]:
                lost = lost or pid in self._keepers
                self._keepers.discard(pid)
        for pid in orphans(self._keepers) if lost else ():
            kill(pid)


def main() -> None:
    """Serve on the socket whose number is the one argument."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)
    spawner = Spawner(channel)
    try:
        spawner.run()
    finally:
        spawner.end()


if __name__ == "__main__":
    main()
