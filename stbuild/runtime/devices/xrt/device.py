"""A card behind the Xilinx Runtime, real or emulated, with one bundle loaded."""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stbuild.errors import StbuildError
from stbuild.package import axlf, xclbin
from stbuild.package.axlf import Mode, SectionKind
from stbuild.package.bundle import BufferArgument, Bundle
from stbuild.package.host_kernel import host_kernel
from stbuild.package.xclbin import MemoryBank
from stbuild.runtime.devices.cpu import check_cpu
from stbuild.runtime.devices.device import CacheOwner
from stbuild.runtime.devices.image import check_image, is_image
from stbuild.runtime.devices.native import in_order, is_shared, known, map_buffer
from stbuild.runtime.devices.xrt import job as messages
from stbuild.runtime.devices.xrt.arena import Arena, make_file
from stbuild.runtime.devices.xrt.cards import CardSensors, check_card
from stbuild.runtime.devices.xrt.folder import (
    card_environment,
    emulation_environment,
    make_folder,
    simulation_environment,
)
from stbuild.runtime.devices.xrt.install import Xrt, find_xrt
from stbuild.runtime.devices.xrt.job import Job, JobBuffer
from stbuild.runtime.devices.xrt.model import model_program
from stbuild.runtime.devices.xrt.process import GRACE_S, Lost, Refused, Worker
from stbuild.runtime.devices.xrt.sentences import Subject, explain, explain_loss

OPEN_LIMIT_S = 900.0
"""For opening and loading; 16 GB of weights at 0.1 GB/s take 160 s."""
SYNC_LIMIT_S = 60.0
LAUNCH_LIMIT_S = {Mode.SW_EMU: 600.0, Mode.HW_EMU: 86400.0, Mode.FLAT: 30.0}
"""A launch takes milliseconds on a card, seconds in software emulation."""


class XrtDevice:
    """A card with an XRT process of its own: number or PCIe address `card`."""

    def __init__(
        self, bundle: Bundle, card: str, *, launch_limit_s: float | None = None, model: Path | None = None
    ) -> None:
        file = axlf.read(bundle.xclbin)
        self._xrt = find_xrt()
        self._mode = mode_of(file)
        _check(bundle, file, self._mode, card)
        self._card = card
        self._manifest = bundle.manifest
        self._limit_s = launch_limit_s or LAUNCH_LIMIT_S[self._mode]
        self._scalars = tuple(argument.scalar for argument in self._manifest.scalars)
        self._arguments = {b.buffer: b for b in self._manifest.buffers}
        self._numbers = {b.buffer: i for i, b in enumerate(self._manifest.buffers)}
        banks = xclbin.memory_topology(file.section(SectionKind.MEM_TOPOLOGY))
        names = {b.buffer: _bank_name(b, banks) for b in self._manifest.buffers}
        self._subject = Subject(device=f"xrt:{card}", banks=names)
        self.cache_owner = CacheOwner()
        self._started = False
        job = _job(bundle, file, card, self._xrt, self._limit_s)
        memory = make_file(job.shared)
        try:
            arena = Arena(memory, job.shared)
            self._worker = self._start(bundle, job, memory, model)
        finally:
            os.close(memory)
        self._host = {
            b.buffer: map_buffer(bundle.path, b)
            if is_shared(b)
            else np.frombuffer(arena.view(b.buffer), np.uint8)
            for b in self._manifest.buffers
        }
        self._explained(lambda: self._worker.wait(OPEN_LIMIT_S))

    @property
    def description(self) -> str:
        """`emulated u55c through XRT 2.13.0`, or `u55c 0 through …`."""
        kind = {Mode.SW_EMU: "emulated ", Mode.HW_EMU: "simulated "}.get(self._mode, "")
        version = ".".join(map(str, self._xrt.version))
        return f"{kind}{self._manifest.platform} through XRT {version}".rstrip()

    @property
    def taps(self) -> None:
        """A card does not show its streams."""

    @property
    def cycle_counter(self) -> None:
        """A card does not count cycles."""

    @property
    def sensors(self) -> CardSensors | None:
        """Those of a card; an emulated one has none."""
        return CardSensors(self._card) if self._mode is Mode.FLAT else None

    def buffer(self, name: str) -> NDArray[np.uint8]:
        """The host copy: of weights their file, else memory that the worker sees too."""
        return self._host[known(name, self._host, "buffer")]

    def sync_to_device(self, name: str, size: int | None = None) -> None:
        """A few bytes go with the request, whose failure comes out at the next one; for more, wait."""
        data = self.buffer(name)[:size]
        if not data.size or is_shared(self._arguments[name]):
            return
        if len(data) <= messages.WRITE_BYTES:
            request = messages.write_request(self._numbers[name], data.tobytes())
            self._explained(lambda: self._worker.tell(request))
        else:
            self._ask(messages.sync_request(messages.SYNC_TO, self._numbers[name], len(data)), SYNC_LIMIT_S)

    def sync_from_device(self, name: str, size: int | None = None) -> None:
        """Ask the worker and wait."""
        length = len(self.buffer(name)[:size])
        if length and not is_shared(self._arguments[name]):
            self._ask(messages.sync_request(messages.SYNC_FROM, self._numbers[name], length), SYNC_LIMIT_S)

    def start(self, scalars: Mapping[str, int]) -> None:
        """Asked of the worker; a failure comes out in `wait`. A sync before that waits for the launch."""
        values = in_order(scalars, self._scalars)
        if self._started:
            raise ValueError("a launch was started and not waited for")
        self._explained(lambda: self._worker.ask(messages.launch_request(values)))
        self._started = True

    def wait(self) -> None:
        """Wait, but not longer than the limit of a launch; after a failure the device is closed."""
        if not self._started:
            raise ValueError("no launch was started")
        self._started = False
        self._explained(lambda: self._worker.wait(self._limit_s + GRACE_S))

    def close(self) -> None:
        """End the worker, and with it the emulated card."""
        self._worker.close()

    def _start(self, bundle: Bundle, job: Job, memory: int, model: Path | None) -> Worker:
        folder = make_folder()
        try:
            environment = self._environment(folder, bundle, model)
            return Worker(replace(job, folder=str(folder)), environment, memory)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _environment(self, folder: Path, bundle: Bundle, model: Path | None) -> dict[str, str]:
        match self._mode:
            case Mode.SW_EMU:
                return emulation_environment(folder, self._xrt, bundle, os.environ, model or model_program())
            case Mode.HW_EMU:
                return simulation_environment(folder, self._xrt, bundle, os.environ)
            case Mode.FLAT:
                return card_environment(folder, self._xrt, os.environ)

    def _ask(self, request: bytes, limit_s: float) -> None:
        def ask() -> None:
            self._worker.ask(request)
            self._worker.wait(limit_s)

        self._explained(ask)

    def _explained(self, action: Callable[[], None]) -> None:
        """Do `action`; when XRT refuses or the worker is gone, close and say why."""
        try:
            action()
        except Refused as refused:
            log = self._worker.log
            self._worker.close()
            raise explain(refused.failure, log, self._subject) from None
        except Lost as lost:
            raise explain_loss(lost, self._limit_s, self._subject) from None


def mode_of(file: axlf.Axlf) -> Mode:
    """What XRT is to run: a kernel image for this host is emulated, whatever the file says that it is for.

    Such a file is what a stand-in for v++ links, so that all behind the link can be tried without a card.
    """
    if any(each.kind == SectionKind.BITSTREAM and is_image(each.data) for each in file.sections):
        return Mode.SW_EMU
    return Mode(file.mode)


def _check(bundle: Bundle, file: axlf.Axlf, mode: Mode, card: str) -> None:
    """Refuse what can be seen to go wrong before XRT is asked."""
    if mode is not Mode.FLAT and card != "0":
        raise StbuildError(
            f"the bundle is for an emulated card, which is xrt:0 and not card {card}",
            where=str(bundle.path),
            hint="--target hw builds for a card",
        )
    if mode is Mode.SW_EMU:
        check_cpu(bundle.manifest.cpu_flags)
        check_image(file.section(SectionKind.BITSTREAM), bundle.xclbin)
    elif mode is Mode.FLAT:
        check_card(card, bundle.manifest.shell)
    banks = xclbin.memory_topology(file.section(SectionKind.MEM_TOPOLOGY))
    for buffer in bundle.manifest.buffers:
        room = sum(bank.bytes for bank in banks[buffer.first_bank : buffer.last_bank + 1])
        if buffer.bytes > room:
            raise StbuildError(
                f"{_bank_name(buffer, banks)} is too small for buffer {buffer.buffer!r}: it holds {room} "
                f"bytes, the buffer needs {buffer.bytes}",
                where=str(bundle.xclbin),
                hint="build the bundle again",
            )


def _job(bundle: Bundle, file: axlf.Axlf, card: str, xrt: Xrt, limit_s: float) -> Job:
    kernel = host_kernel(file.section(SectionKind.EMBEDDED_METADATA), str(bundle.xclbin))
    manifest = bundle.manifest
    wanted = sum(buffer.pointers for buffer in manifest.buffers) + len(manifest.scalars)
    if wanted != len(kernel.arguments):
        raise StbuildError(
            f"kernel {kernel.name} takes {len(kernel.arguments)} arguments, the bundle passes {wanted}",
            where=str(bundle.path),
            hint="build the bundle again",
        )
    return Job(
        library=str(xrt.library),
        xclbin=str(bundle.xclbin.resolve()),
        card=card,
        kernel=kernel.name,
        buffers=tuple(_job_buffer(bundle, buffer) for buffer in manifest.buffers),
        scalars=tuple(scalar.bytes for scalar in manifest.scalars),
        folder="",
        parent=os.getpid(),
        limit_ms=int(limit_s * 1000),
    )


def _job_buffer(bundle: Bundle, buffer: BufferArgument) -> JobBuffer:
    file = str((bundle.path / buffer.file).resolve()) if buffer.file is not None else None
    return JobBuffer(
        name=buffer.buffer,
        bytes=buffer.bytes,
        file=file,
        writable=buffer.writable,
        pointers=buffer.pointers,
    )


def _bank_name(buffer: BufferArgument, banks: Sequence[MemoryBank]) -> str:
    tags = [bank.tag for bank in banks[buffer.first_bank : buffer.last_bank + 1]]
    return f"bank {tags[0]}" if len(tags) == 1 else f"the banks {tags[0]} to {tags[-1]}"
