"""The process that measures a bundle on a device: compares it with the reference, then looks at the clock.

It is a process of its own, so that a kernel that hangs can be killed and what a driver does to its process
stays there. After each launch it writes a byte, by which the night knows that it lives.
"""

import ctypes
import errno
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stbuild.chain.record import digest
from stbuild.errors import StbuildError
from stbuild.nightly.outcome import Fault
from stbuild.nightly.runs import Broken, Length, Request, Runs, read_request, to_json
from stbuild.package.bundle import Model, load_bundle
from stbuild.runtime.devices.device import CacheOwner, CycleCounter, Device, Sensors, Taps
from stbuild.runtime.devices.fault import DeviceError
from stbuild.runtime.session import Session
from stbuild.runtime.smoke import run_prompt

ALIVE = b"."
_PR_SET_PDEATHSIG = 1


class Wrong(Exception):
    """The device differs from the reference, or must be left alone."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


class WatchedDevice:
    """A device that tells of every launch, and adds up how long they took."""

    def __init__(self, device: Device, channel: int) -> None:
        self._device = device
        self._channel = channel
        self.seconds = 0.0

    @property
    def description(self) -> str:
        """The device's own."""
        return self._device.description

    @property
    def cache_owner(self) -> CacheOwner:
        """The device's own."""
        return self._device.cache_owner

    @property
    def taps(self) -> Taps | None:
        """The device's own."""
        return self._device.taps

    @property
    def cycle_counter(self) -> CycleCounter | None:
        """The device's own."""
        return self._device.cycle_counter

    @property
    def sensors(self) -> Sensors | None:
        """The device's own."""
        return self._device.sensors

    def buffer(self, name: str) -> NDArray[np.uint8]:
        """The device's own."""
        return self._device.buffer(name)

    def sync_to_device(self, name: str, size: int | None = None) -> None:
        """Hand on."""
        self._device.sync_to_device(name, size)

    def sync_from_device(self, name: str, size: int | None = None) -> None:
        """Hand on."""
        self._device.sync_from_device(name, size)

    def start(self, scalars: Mapping[str, int]) -> None:
        """Hand on, and start the clock."""
        self._began = perf_counter()
        self._device.start(scalars)

    def wait(self) -> None:
        """Hand on, stop the clock, and tell."""
        self._device.wait()
        self.seconds += perf_counter() - self._began
        os.write(self._channel, ALIVE)

    def close(self) -> None:
        """Hand on."""
        self._device.close()


def main(request_file: str, answer_file: str, channel: int) -> None:
    """Answer the request in a file; what goes wrong is an answer too. The process ends with its parent."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    request = read_request(Path(request_file).read_text())
    Path(answer_file).write_text(to_json(answer(request, channel)))


def answer(request: Request, channel: int) -> Runs | Broken:
    """Measure; a fault of the device is told as such."""
    described = request.device
    try:
        bundle = load_bundle(Path(request.bundle))
        opened: Device = _opener(request.opener)(
            bundle, request.device, launch_limit_s=request.launch_limit_s
        )
        device = WatchedDevice(opened, channel)
        os.write(channel, ALIVE)
        described = device.description
        try:
            return measure(device, bundle.manifest.model, request)
        finally:
            device.close()
    except Wrong as wrong:
        return Broken(fault=wrong.fault.value, message=str(wrong), described=described)
    except DeviceError as error:
        return Broken(fault=error.fault.value, message=str(error), described=described)
    except StbuildError as error:
        return Broken(fault=Fault.REFUSED.value, message=str(error), described=described)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        message = f"no room is left to write in: {error.filename or error}"
        return Broken(fault=Fault.DISK_FULL.value, message=message, described=described)


def measure(device: WatchedDevice, model: Model, request: Request) -> Runs:
    """Compare with the reference, then run prompts of each length in turns."""
    compared = compare(device, model, Path(request.expected))
    lengths = [n for n in request.prompt_tokens if n + request.new_tokens <= model.context] or [1]
    first: dict[int, list[float]] = {n: [] for n in lengths}
    steps: dict[int, list[float]] = {n: [] for n in lengths}
    readings = []
    for _ in range(request.repeats):
        for tokens in lengths:
            _time_prompt(device, model, tokens, request.new_tokens, first[tokens], steps[tokens])
        if device.sensors is not None:
            readings.append(device.sensors.read())
            _check_temperature(readings[-1].temperature_c, request.max_temperature_c)
    told: list[Length] = [(n, tuple(first[n]), tuple(steps[n])) for n in lengths]
    return Runs(
        described=device.description,
        seconds=device.seconds,
        compared=compared,
        lengths=tuple(told),
        temperatures_c=tuple(r.temperature_c for r in readings if r.temperature_c is not None),
        powers_w=tuple(r.power_w for r in readings if r.power_w is not None),
    )


def compare(device: Device, model: Model, expected: Path) -> int:
    """How many new tokens are the reference's, with all their logits; the first that is not is told."""
    compared = 0
    for number in range(sum(1 for _ in expected.glob("prompt_*.json"))):
        record: dict[str, Any] = json.loads((expected / f"prompt_{number}.json").read_text())
        seen = run_prompt(device, model, record["prompt"], len(record["tokens"]))
        logits = [digest(row) for row in seen.logits]
        for what, ours, theirs in (
            ("the logits of new token", logits, record["logits"]),
            ("new token", seen.tokens, record["tokens"]),
        ):
            at = _first_difference(ours, theirs)
            if at is not None:
                message = f"the device differs from the reference in prompt {number}: {what} {at}"
                raise Wrong(Fault.WRONG_BITS, message)
        compared += len(seen.tokens)
    return compared


def _time_prompt(
    device: Device, model: Model, tokens: int, new_tokens: int, first: list[float], steps: list[float]
) -> None:
    """One prompt of arbitrary tokens, the same each night, and what follows it."""
    prompt = [(7919 * i + 13) % model.vocab_size for i in range(tokens)]
    with Session(device, model) as session:
        began = perf_counter()
        token = session.prefill(prompt)
        first.append(perf_counter() - began)
        for _ in range(min(new_tokens - 1, session.room)):
            began = perf_counter()
            token = session.decode(token)
            steps.append(perf_counter() - began)


def _check_temperature(found_c: float | None, limit_c: float) -> None:
    if found_c is not None and found_c > limit_c:
        message = f"the card has {found_c:g} °C, more than the {limit_c:g} °C of max_temperature_c"
        raise Wrong(Fault.THERMAL, message)


def _first_difference(ours: Sequence[object], theirs: Sequence[object]) -> int | None:
    pairs = zip(ours, theirs, strict=False)
    at = next((i for i, (a, b) in enumerate(pairs) if a != b), None)
    return min(len(ours), len(theirs)) if at is None and len(ours) != len(theirs) else at


def _opener(name: str) -> Any:
    module, _, function = name.partition(":")
    return getattr(import_module(module), function)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
