"""Contender: a bundle on the emulated card, `python -m benchmarks.decoders.emulated BUNDLE`."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.decoders.serve import serve
from stbuild.package.bundle import load_bundle
from stbuild.runtime.devices.native import NativeDevice
from stbuild.runtime.session import Session


class Emulated:
    """The product's own session."""

    def __init__(self, path: Path) -> None:
        bundle = load_bundle(path)
        self._buffers = [argument.buffer for argument in bundle.manifest.buffers]
        self._device = NativeDevice(bundle)
        self._session = Session(self._device, bundle.manifest.model)

    def prefill(self, tokens: Sequence[int]) -> int:
        """In launches of at most `chunk` tokens."""
        self._session.rewind(0)
        return self._session.prefill(tokens)

    def decode(self, token: int) -> int:
        """One launch."""
        return self._session.decode(token)

    def about(self) -> str:
        """The channels and FIFO depths that the kernel image really has; it tells them once launched."""
        self.prefill([0])
        depths = [stream["depth"] for stream in json.loads(self._device.streams())]
        channels = sum(name.startswith("weights_") for name in self._buffers)
        return (
            f"{self._device.description}: {channels} weight channels, {len(depths)} FIFOs of depth "
            f"{min(depths)} to {max(depths)}"
        )


if __name__ == "__main__":
    serve(Emulated(Path(sys.argv[1])))
