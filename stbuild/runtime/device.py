"""What a session asks of a device, whatever stands behind it."""

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Tap = Callable[[bytes], None]
"""Receives what passes through a tapped stream, word by word."""


class Device(Protocol):
    """A card, real or emulated, with one bundle loaded."""

    @property
    def description(self) -> str:
        """What it is, for a person: `emulated u55c on this host`."""
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
