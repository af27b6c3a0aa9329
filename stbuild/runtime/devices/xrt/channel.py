"""How user's process and worker receive a message: awake for a moment, since waking up takes longer."""

import os
import socket
import time

AWAKE_S = 300e-6
"""Three times what a launch through XRT takes by itself; half of it would often be too short."""
LOOK_S = 1.0
"""How often it is asked whether the machine is busy, where to stay awake would take from others."""
MESSAGE_BYTES = 16384
"""No message is longer."""


class Receiver:
    """One end of a channel."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._awake_s = 0.0
        self._look_at = 0.0

    def receive_soon(self) -> bytes | None:
        """The next message if it comes in a moment (b"": the other end is closed); else None."""
        now = time.perf_counter()
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            self._awake_s = AWAKE_S if is_idle() else 0.0
        asleep = now + self._awake_s
        while time.perf_counter() < asleep:
            try:
                return self._channel.recv(MESSAGE_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                os.sched_yield()
        return None

    def receive(self) -> bytes:
        """The next message, whenever it comes."""
        message = self.receive_soon()
        return self._channel.recv(MESSAGE_BYTES) if message is None else message


def is_idle() -> bool:
    """Whether in the last minute fewer processes than processors, and one more, wanted to run."""
    return os.getloadavg()[0] < (os.cpu_count() or 1) + 1
