"""How the worker receives a request: awake for a moment, since to sleep and wake up takes longer."""

import os
import socket
import time

AWAKE_S = 100e-6
"""What a session does between two requests takes less."""
MESSAGE_BYTES = 16384
"""No message is longer."""


def receive(channel: socket.socket) -> bytes:
    """The next message; b"" when the other end is closed."""
    asleep = time.perf_counter() + AWAKE_S
    while time.perf_counter() < asleep:
        try:
            return channel.recv(MESSAGE_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            os.sched_yield()
    return channel.recv(MESSAGE_BYTES)
