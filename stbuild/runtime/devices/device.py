"""What a session asks of a device, whatever stands behind it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from stbuild.errors import StbuildError

Tap = Callable[[bytes], None]
"""Receives what passes through a tapped stream, word by word."""


class CacheOwner:
    """The one session that a device's KV cache belongs to, for as long as anybody refers to it."""

    def __init__(self) -> None:
        self._session: ref[object] | None = None

    def claim(self, session: object) -> None:
        """Give the KV cache to `session`; StbuildError while another one has it."""
        if self._session is not None and self._session() not in (None, session):
            raise StbuildError(
                "the device has an open session, whose KV cache a second one would overwrite",
                hint="close the first session, or open the bundle a second time",
            )
        self._session = ref(session)

    def check(self, session: object) -> None:
        """StbuildError unless the KV cache belongs to `session`."""
        if self._session is None or self._session() is not session:
            raise StbuildError("the session is closed", hint="open a new one")

    def release(self, session: object) -> None:
        """Take the KV cache back from `session`, if it has it."""
        if self._session is not None and self._session() is session:
            self._session = None


class Taps(Protocol):
    """A device's streams, which only an emulated card in this process can show."""

    def tap(self, stream: str, receive: Tap) -> None:
        """Call `receive` with every word that passes through `stream` from now on."""
        ...


class CycleCounter(Protocol):
    """What a device knows of the time that its launches take."""

    def cycles(self) -> int:
        """Cycles of the last launch; 0 when its image does not count them."""
        ...


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a card's sensors say now; None where it has no such sensor."""

    temperature_c: float | None = None
    power_w: float | None = None


class Sensors(Protocol):
    """The sensors of a card."""

    def read(self) -> Reading:
        """What they say now."""
        ...


class Device(Protocol):
    """A card, real or emulated, with one bundle loaded.

    A buffer has a host copy and a device copy. Buffers with a file hold its content on both sides; the
    others start with unknown contents. Only a sync makes the copies equal.
    """

    @property
    def description(self) -> str:
        """What it is, for a person: `emulated u55c on this host`."""
        ...

    @property
    def cache_owner(self) -> CacheOwner:
        """Which session has the KV cache."""
        ...

    @property
    def taps(self) -> Taps | None:
        """Its streams, or None when they cannot be seen."""
        ...

    @property
    def cycle_counter(self) -> CycleCounter | None:
        """Its cycles, or None when it does not count them."""
        ...

    @property
    def sensors(self) -> Sensors | None:
        """Its sensors, or None when it has none that can be read."""
        ...

    def buffer(self, name: str) -> NDArray[np.uint8]:
        """The host copy of a buffer; one that has a file and that the device does not write is read-only."""
        ...

    def sync_to_device(self, name: str, size: int | None = None) -> None:
        """Bring the first `size` bytes (all without it) of a buffer's host copy to the device."""
        ...

    def sync_from_device(self, name: str, size: int | None = None) -> None:
        """Bring the first `size` bytes (all without it) of a buffer's device copy to the host."""
        ...

    def start(self, scalars: Mapping[str, int]) -> None:
        """Start one launch of the control kernel with these arguments; `wait` before the next one."""
        ...

    def wait(self) -> None:
        """Wait for the launch; StbuildError when it deadlocks, fails a check or does not return."""
        ...

    def close(self) -> None:
        """Give back memory and device; a closed device may be closed again."""
        ...
