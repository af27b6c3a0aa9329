"""What a session asks of a device, whatever stands behind it."""

from collections.abc import Callable, Mapping
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


class Device(Protocol):
    """A card, real or emulated, with one bundle loaded."""

    @property
    def description(self) -> str:
        """What it is, for a person: `emulated u55c on this host`."""
        ...

    @property
    def cache_owner(self) -> CacheOwner:
        """Which session has the KV cache."""
        ...

    def buffer(self, name: str) -> NDArray[np.uint8]:
        """The bytes of a buffer as the host sees them; those with a file can only be read."""
        ...

    def launch(self, scalars: Mapping[str, int]) -> None:
        """Run the control kernel once and wait; raises StbuildError when it deadlocks or a check fails."""
        ...

    def cycles(self) -> int:
        """Cycles of the last launch; 0 when the device does not count them."""
        ...

    def tap(self, stream: str, receive: Tap) -> None:
        """Call `receive` with every word that passes through `stream` from now on."""
        ...

    def close(self) -> None:
        """Give back memory and device."""
        ...
