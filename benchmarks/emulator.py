"""How fast the emulated matmul engine multiplies: SmolLM2's and Llama-2-7B's decode step through 28 channels.

    python benchmarks/emulator.py [--depth 64] [--layers 32] [--timed]

Measured in CPU time of the one thread that emulates, best of some launches; weights are arbitrary bytes.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.hls_lib.emulator.engine_network import EngineSizes, engine_source
from tests.hls_lib.emulator.network import AnyArray, Network, Variant, aligned, compile_runtime, link_network

SCALE_EXPONENT = 10


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """A linear op; `load` false: the vector of the op before."""

    rows: int
    columns: int
    group: int
    bits: int = 4
    load: bool = True

    @property
    def tile_words(self) -> int:
        return self.columns // self.group * (1 + self.bits // 4 * self.group // 8)


def smollm2() -> tuple[Matrix, ...]:
    """SmolLM2-135M: 30 layers of 4 bits in groups of 32, a head of 8 bits."""
    layer = _layer(width=576, kv=192, hidden=1536, group=32)
    return (*layer * 30, Matrix(rows=49152, columns=576, group=32, bits=8))


def llama2_7b(layers: int) -> tuple[Matrix, ...]:
    """Llama-2-7B: 4 bits in groups of 128."""
    layer = _layer(width=4096, kv=4096, hidden=11008, group=128)
    return (*layer * layers, Matrix(rows=32000, columns=4096, group=128))


def _layer(width: int, kv: int, hidden: int, group: int) -> tuple[Matrix, ...]:
    shapes = (
        (width, width, True), (kv, width, False), (kv, width, False), (width, width, True),
        (hidden, width, True), (hidden, width, False), (width, hidden, True),
    )  # fmt: skip
    return tuple(Matrix(rows=r, columns=c, group=group, load=load) for r, c, load in shapes)


def main() -> None:
    """Print a line per model and number of tokens."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--depth", type=int, default=64, help="depth of the streams between kernels")
    parser.add_argument(
        "--layers", type=int, default=32, help="layers of Llama-2-7B (32 need 4 GB of memory)"
    )
    parser.add_argument("--timed", action="store_true", help="with a cycle stamp on every token")
    options = parser.parse_args()
    sizes = EngineSizes(
        units=2, lanes=14, columns=11008, chunk=16, token_lanes=2, max_tiles=3072, depth=options.depth
    )
    network = _build(sizes, Variant.TIMED if options.timed else Variant.FAST)
    for name, matrices, tokens in (
        ("SmolLM2", smollm2(), 1),
        ("SmolLM2", smollm2(), 8),
        (f"Llama-2-7B, {options.layers} layers", llama2_7b(options.layers), 1),
    ):
        print(f"{name}, {tokens} tokens: {_measure(network, sizes, matrices, tokens)}", flush=True)


def _build(sizes: EngineSizes, variant: Variant) -> Network:
    folder = Path(tempfile.mkdtemp())
    (folder / "engine.cpp").write_text(engine_source(sizes))
    return link_network([folder / "engine.cpp"], compile_runtime(folder, variant), folder, variant)


def _measure(network: Network, sizes: EngineSizes, matrices: Sequence[Matrix], tokens: int) -> str:
    program, words = _program(matrices, sizes.channels)
    inputs = sum(m.columns // 32 for m in matrices if m.load) * tokens
    outputs = sum(m.rows // 16 for m in matrices) * tokens
    rng = np.random.default_rng(0)
    x = aligned(rng.integers(0, 128, (inputs, 64), dtype=np.uint8))
    y, nothing = aligned(np.zeros((outputs, 16), np.int32)), aligned(np.zeros((1, 16), np.int32))
    buffers = [*(_weights(count, rng) for count in words), aligned(program), x, nothing, y, nothing]
    scalars = [tokens, 0, len(program), inputs, 0, outputs, 0, *words]
    seconds = min(_launch(network, buffers, scalars) for _ in range(max(3, int(2e9 / (64 * sum(words))))))
    macs = sum(m.rows * m.columns for m in matrices) * tokens
    text = f"{macs / 1e9:.3f} GMAC in {1e3 * seconds:.1f} ms of CPU time, {macs / seconds / 1e9:.1f} GMAC/s"
    cycles = network.cycles()
    return f"{text}, {cycles} cycles (simulated)" if cycles else text


def _launch(network: Network, buffers: Sequence[AnyArray], scalars: Sequence[int]) -> float:
    start = time.thread_time()
    network.run(buffers, scalars)
    return time.thread_time() - start


def _program(matrices: Sequence[Matrix], channels: int) -> tuple[AnyArray, list[int]]:
    """The descriptors, and the words of each channel."""
    words, base = [0] * channels, 0
    program = np.zeros((len(matrices) + 1, 16), np.int32)
    for row, m in zip(program, matrices, strict=False):
        tiles = m.rows // 16
        row[:10] = (1, m.columns // 32, m.group // 32, m.bits // 4, tiles, base, m.load, 0, 0, 36)
        row[13] = SCALE_EXPONENT
        for channel in range(channels):
            words[channel] += len(range((channel - base) % channels, tiles, channels)) * m.tile_words
        base = (base + tiles) % channels
    return program, words


def _weights(words: int, rng: np.random.Generator) -> AnyArray:
    """Arbitrary words whose fp16 scales are small."""
    block = rng.integers(0, 256, (4096, 64), dtype=np.uint8)
    block[:, 1::2] &= 0x3F
    memory = _untouched(words)
    for start in range(0, words, len(block)):
        memory[start : start + len(block)] = block[: words - start]
    return memory


def _untouched(words: int) -> AnyArray:
    """Aligned memory for `words` words."""
    memory = np.empty(64 * words + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + 64 * words].reshape(words, 64)


if __name__ == "__main__":
    main()
