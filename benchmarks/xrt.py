"""A bundle behind the real XRT and our device model: launches, loading, decode: `python -m benchmarks.xrt`.

Launches and loading use a bundle whose kernel does nothing. Decode is SmolLM2, natively and through XRT in
turns, with the same tokens. All of it is this host's software; nothing is said about a card.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.process_memory import PeakMemory
from stbuild.package import xclbin
from stbuild.package.axlf import Mode
from stbuild.package.bundle import (
    FORMAT,
    BufferArgument,
    Bundle,
    Manifest,
    Model,
    Provenance,
    ScalarArgument,
    load_bundle,
    write_bundle,
)
from stbuild.package.xclbin import KernelArgument, KernelIp, MemoryBank, MemType, Xclbin
from stbuild.runtime.devices.device import Device
from stbuild.runtime.devices.opening import open_device
from stbuild.runtime.session import Session

SMOLLM2 = Path(__file__).resolve().parents[1] / "stbuild-out/u55c-sw_emu/projects/smollm2_135m/xclbin/bundle"
IDLE_KERNEL = """
int stb_run(void* const* buffers, const unsigned long* scalars) { return buffers && scalars ? 0 : 1; }
const char* stb_message(void) { return ""; }
"""
BANK_BYTES = 1 << 29
PART_BYTES = 64 << 20
LAUNCHES, DECODES, PROMPT = 2000, 32, tuple(range(1, 17))
LAUNCH_US, LOAD_GB_PER_S, MEMORY_RATIO, SPEED_RATIO = 150, 0.4, 2.0, 0.8
"""Targets: at most, at least, at most, at least."""


def main() -> None:
    """Print each figure beside what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1024, help="weights to load (1024)")
    parser.add_argument("--rounds", type=int, default=5, help="of decoding on each device (5)")
    options = parser.parse_args()
    print(f"load of this machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    with tempfile.TemporaryDirectory() as folder:
        loading(idle_bundle(Path(folder), options.megabytes << 20))
    with tempfile.TemporaryDirectory() as folder:
        launches(idle_bundle(Path(folder), PART_BYTES))
    if (SMOLLM2 / "manifest.json").is_file():
        decoding(load_bundle(SMOLLM2), options.rounds)
    else:
        print("decode: left out; build it first: ./stbuildw projects/smollm2_135m")


def launches(bundle: Bundle) -> None:
    """Start and wait, from the user's process through the worker, XRT and the model, and back."""
    with closing(open_device(bundle, "xrt:0")) as device:
        seconds = sorted(launch(device) for _ in range(LAUNCHES))
    median, tenth = seconds[LAUNCHES // 2] * 1e6, seconds[LAUNCHES // 10] * 1e6
    print(f"launch + wait: median {median:.0f} us, fastest tenth {tenth:.0f} us (at most {LAUNCH_US})")


def launch(device: Device) -> float:
    """The seconds of one launch."""
    begin = time.perf_counter()
    device.start({"n": 1})
    device.wait()
    return time.perf_counter() - begin


def loading(bundle: Bundle) -> None:
    """Opening, almost all of which is loading weights, and the memory of worker and model meanwhile."""
    size = sum(buffer.bytes for buffer in bundle.manifest.buffers)
    open_device(bundle, "xrt:0").close()  # compiles the model, and brings the weights into the page cache
    with PeakMemory() as memory:
        begin = time.perf_counter()
        device = open_device(bundle, "xrt:0")
        seconds = time.perf_counter() - begin
        device.close()
    print(
        f"loading: {size / 1e9:.2f} GB at {size / seconds / 1e9:.2f} GB/s, opening included "
        f"(at least {LOAD_GB_PER_S}; one copy in memory ran at {copy_gb_per_s():.2f} GB/s), "
        f"peak memory {memory.peak_bytes / size:.2f} x (at most {MEMORY_RATIO:g})"
    )


def copy_gb_per_s() -> float:
    """How fast this machine copies memory just now; XRT copies weights four times on their way."""
    source, target = np.ones(PART_BYTES, np.uint8), np.zeros(PART_BYTES, np.uint8)
    begin = time.perf_counter()
    target[:] = source
    return PART_BYTES / (time.perf_counter() - begin) / 1e9


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """Tokens and their rate."""

    tokens: tuple[int, ...]
    rate: float


def decoding(bundle: Bundle, rounds: int) -> None:
    """The same answer on both devices, round by round in turns."""
    with closing(open_device(bundle)) as native, closing(open_device(bundle, "xrt:0")) as xrt:
        pairs = [(decode(native, bundle), decode(xrt, bundle)) for _ in range(rounds)]
    if any(left.tokens != right.tokens for left, right in pairs):
        sys.exit("decode: the tokens differ")
    ratio = statistics.median(right.rate / left.rate for left, right in pairs)
    rates = [statistics.median(each.rate for each in column) for column in zip(*pairs, strict=True)]
    print(
        f"decode: {rates[0]:.1f} tok/s native, {rates[1]:.1f} through XRT, the same tokens; median of ratios "
        f"{ratio:.2f} (at least {SPEED_RATIO})"
    )


def decode(device: Device, bundle: Bundle) -> Decoded:
    """Some tokens behind a prompt."""
    with Session(device, bundle.manifest.model) as session:
        tokens = [session.prefill(PROMPT)]
        begin = time.perf_counter()
        for _ in range(DECODES):
            tokens.append(session.decode(tokens[-1]))
        return Decoded(tokens=tuple(tokens), rate=DECODES / (time.perf_counter() - begin))


def idle_bundle(folder: Path, size: int) -> Bundle:
    """A bundle with `size` bytes of weights and a kernel that does nothing."""
    parts = -(-size // PART_BYTES)
    memory = folder / "memory"
    memory.mkdir()
    random = np.random.default_rng(0)
    for part in range(parts):
        (memory / f"weights_{part}.bin").write_bytes(random.bytes(min(PART_BYTES, size)))
    manifest = idle_manifest([min(PART_BYTES, size)] * parts)
    write_bundle(folder / "bundle", manifest, xclbin=idle_xclbin(folder, manifest), weights=memory)
    return load_bundle(folder / "bundle")


def idle_manifest(sizes: list[int]) -> Manifest:
    """Each weights buffer in a bank of its own."""
    buffers = (
        BufferArgument(
            buffer=f"weights_{i}", bytes=size, file=f"weights/weights_{i}.bin", writable=False,
            first_bank=i, last_bank=i,
        )
        for i, size in enumerate(sizes)
    )  # fmt: skip
    model = Model(vocab_size=1, context=1, chunk=1, weights=Provenance.SYNTHETIC, weights_source="random")
    return Manifest(
        format=FORMAT, name="idle", platform="u55c", target="sw_emu", xclbin="idle.xclbin", model=model,
        arguments=(*buffers, ScalarArgument(scalar="n", bytes=4)),
    )  # fmt: skip


def idle_xclbin(folder: Path, manifest: Manifest) -> bytes:
    """The kernel, compiled, with the arguments of the manifest."""
    (folder / "idle.c").write_text(IDLE_KERNEL)
    subprocess.run(["gcc", "-shared", "-fPIC", folder / "idle.c", "-o", folder / "idle.so"], check=True)
    pointers = tuple(
        KernelArgument(name=b.buffer, bytes=8, banks=(b.first_bank,), port=f"m_{b.buffer}")
        for b in manifest.buffers
    )
    scalar = KernelArgument(name="n", bytes=4)
    banks = tuple(
        MemoryBank(tag=f"HBM[{i}]", type=MemType.HBM, bytes=BANK_BYTES, base_address=i * BANK_BYTES)
        for i in range(len(pointers))
    )
    return xclbin.encode(
        Xclbin(
            name="idle", platform="u55c", shell="xilinx_u55c_gen3x16_xdma_base_3", mode=Mode.SW_EMU,
            clock_mhz=250, memories=banks, image=(folder / "idle.so").read_bytes(),
            kernels=(KernelIp(name="control", units=("control_1",), arguments=(*pointers, scalar)),),
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
