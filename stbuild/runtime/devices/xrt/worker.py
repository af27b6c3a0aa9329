"""The process in which XRT lives: `main(job file, socket, memory file)`; it ends with its parent.

It has a session and a process group of its own, in which XRT may send signals as it likes.
"""

import ctypes
import mmap
import os
import select
import shutil
import signal
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

from stbuild.runtime.devices.xrt import job as messages
from stbuild.runtime.devices.xrt.arena import Arena
from stbuild.runtime.devices.xrt.channel import Receiver
from stbuild.runtime.devices.xrt.job import CLOSE, WRITE, Failure, Job, JobBuffer
from stbuild.runtime.devices.xrt.library import FROM_DEVICE, TO_DEVICE, Buffer, Kernel, Library, XrtError
from stbuild.runtime.devices.xrt.scheduler import Scheduler, threads

LOADED_AT_ONCE = 16 << 20
"""Bytes of a weights file that are in this process's memory at a time."""
GRACE_S, LOOK_S = 2.0, 0.05
"""How long this process waits to be ended, and how long a process that was killed may still be at work."""


def main(job_file: str, channel: int, memory: int) -> None:
    """Open, answer requests until the parent closes or is gone, close; never returns."""
    job = messages.read_job(Path(job_file).read_text())
    threading.Thread(target=end_with_parent, args=(job,), daemon=True).start()
    with suppress(OSError), socket.socket(fileno=channel) as parent:  # OSError: the parent is gone
        if work(job, Arena(memory, job.shared), parent):
            _leave()
    time.sleep(GRACE_S)  # until the other thread, or the parent, ends this process
    shutil.rmtree(job.folder, ignore_errors=True)  # the parent has become another program
    _leave()


def work(job: Job, arena: Arena, parent: socket.socket) -> bool:
    """Open the card and answer requests; True when the parent has closed it or could not have it."""
    try:
        card = Card(job, arena)
    except (XrtError, OSError) as error:
        failure = error.failure if isinstance(error, XrtError) else Failure(step="read", what=str(error))
        parent.send(messages.numbered(0, messages.answer_text(failure)))
        return True
    parent.send(messages.numbered(0, messages.answer_text(None)))
    return serve(card, parent)


def end_with_parent(job: Job) -> None:
    """When the user's process is gone, end this process group whatever XRT does, and remove the folder.

    A process outside of the group does both, since what still runs in the group might make files.
    """
    try:
        parent = os.pidfd_open(job.parent)
        select.select([parent], [], [])
    except ProcessLookupError:
        pass
    group = os.getpgrp()
    if os.fork() == 0:
        os.setsid()
        for _ in range(2):  # a second time, for what was being made when the signal came
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
            time.sleep(LOOK_S)
            shutil.rmtree(job.folder, ignore_errors=True)
        _leave()


class Card:
    """The kernel with its buffers."""

    def __init__(self, job: Job, arena: Arena) -> None:
        self._job = job
        before = threads()
        self._kernel = Kernel(Library(job.library), job.card, job.xclbin, job.kernel)
        self._buffers: list[Buffer] = []
        self._host: list[tuple[memoryview, memoryview] | None] = []
        self._files: list[mmap.mmap] = []
        argument = 0
        for each in job.buffers:
            self._add(each, argument, arena)
            for pointer in range(argument, argument + each.pointers):
                self._kernel.point(pointer, self._buffers[-1])
            argument += each.pointers
        self._first_scalar = argument
        self._passed: tuple[int, ...] = (-1,) * len(job.scalars)
        self._scheduler = Scheduler(threads() - before if "XCL_EMULATION_MODE" in os.environ else frozenset())

    def to_device(self, index: int, size: int) -> None:
        """Copy to XRT's host side and sync."""
        pair = self._host[index]
        if pair is not None:
            shared, mapped = pair
            mapped[:size] = shared[:size]
            self._buffers[index].sync(TO_DEVICE, size)

    def write(self, index: int, data: bytes) -> None:
        """Bring `data` to the front of a buffer."""
        pair = self._host[index]
        if pair is not None:
            pair[1][: len(data)] = data
            self._buffers[index].sync(TO_DEVICE, len(data))

    def from_device(self, index: int, size: int) -> None:
        """Sync and copy from XRT's host side."""
        pair = self._host[index]
        if pair is not None:
            shared, mapped = pair
            self._buffers[index].sync(FROM_DEVICE, size)
            shared[:size] = mapped[:size]

    def launch(self, scalars: tuple[int, ...]) -> None:
        """Start a launch and wait for its end; XRT keeps arguments that do not change."""
        for number, (value, old) in enumerate(zip(scalars, self._passed, strict=True)):
            if value != old:
                size = self._job.scalars[number]
                self._kernel.pass_scalar(self._first_scalar + number, value, size)
        self._passed = scalars
        self._scheduler.await_sleep()
        self._kernel.start()
        self._kernel.wait(self._job.limit_ms)

    def close(self) -> None:
        """Give all back."""
        for buffer in self._buffers:
            buffer.free()
        self._kernel.close()

    def _add(self, buffer: JobBuffer, argument: int, arena: Arena) -> None:
        if buffer.file is not None and not buffer.writable:
            self._buffers.append(self._load(buffer, buffer.file, argument))
            self._host.append(None)
            return
        made = self._kernel.allocate(argument, buffer.name, buffer.bytes)
        self._buffers.append(made)
        self._host.append((arena.view(buffer.name), made.map()))
        if buffer.file is not None:
            with Path(buffer.file).open("rb") as file:
                file.readinto(arena.view(buffer.name))
            self.to_device(len(self._buffers) - 1, buffer.bytes)

    def _load(self, buffer: JobBuffer, path: str, argument: int) -> Buffer:
        """Weights: XRT reads the mapped file itself; where it refuses that, a copy of it.

        The mapping is private and may be written, as a driver that pins pages demands.
        """
        with Path(path).open("rb") as file:
            mapped = mmap.mmap(file.fileno(), buffer.bytes, access=mmap.ACCESS_COPY)
        self._files.append(mapped)
        address = ctypes.addressof(ctypes.c_char.from_buffer(mapped))
        try:
            made = self._kernel.adopt(argument, buffer.name, address, buffer.bytes)
        except XrtError:
            made = self._kernel.allocate(argument, buffer.name, buffer.bytes)
            made.map()[:] = mapped
        for start in range(0, buffer.bytes, LOADED_AT_ONCE):
            size = min(LOADED_AT_ONCE, buffer.bytes - start)
            made.sync(TO_DEVICE, size, start)
            mapped.madvise(mmap.MADV_DONTNEED, start, size)
        return made


def serve(card: Card, parent: socket.socket) -> bool:
    """Answer requests; False when the parent is gone, True when it has closed the device."""
    failure: Failure | None = None
    receiver = Receiver(parent)
    while True:
        message = receiver.receive()
        if not message:
            return False
        number, request = messages.read_number(message)
        if failure is None:
            try:
                carry_out(card, request)
            except XrtError as error:
                failure = error.failure
        if request.startswith(WRITE):
            continue
        parent.send(messages.numbered(number, messages.answer_text(failure)))
        failure = None
        if request.startswith(CLOSE):
            return True


def carry_out(card: Card, request: bytes) -> None:
    """One request."""
    match request[:1]:
        case messages.SYNC_TO:
            card.to_device(*messages.read_sync(request))
        case messages.WRITE:
            card.write(*messages.read_write(request))
        case messages.SYNC_FROM:
            card.from_device(*messages.read_sync(request))
        case messages.LAUNCH:
            card.launch(messages.read_launch(request))
        case messages.CLOSE:
            card.close()


def _leave() -> None:
    """End without destructors: those of XRT wait for what is gone."""
    os._exit(0)
