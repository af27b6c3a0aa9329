"""The example network, which shows how kernels are joined, multiplies to the bit."""

from pathlib import Path

import numpy as np
import pytest

from tests.hls_lib.emulator.conftest import BuildFiles
from tests.hls_lib.emulator.linear import (
    Form,
    channel_bytes,
    draw_vectors,
    draw_weights,
    multiply,
    vector_bytes,
)
from tests.hls_lib.emulator.network import Variant, aligned

SOURCES = tuple(sorted((Path(__file__).parents[1] / "example").glob("*.cpp")))
COLUMNS, ROWS, CHANNELS, TOKENS = 256, 192, 4, 3


@pytest.mark.parametrize("variant", [Variant.FAST, Variant.TIMED])
@pytest.mark.parametrize("bits", [4, 8])
def test_example_multiplies(build_files: BuildFiles, variant: Variant, bits: int) -> None:
    rng = np.random.default_rng(bits)
    weights, x = (
        draw_weights(rng, ROWS, COLUMNS, Form(group=64, bits=bits)),
        draw_vectors(rng, TOKENS, COLUMNS),
    )
    channels = [channel_bytes([weights], [1], c, CHANNELS) for c in range(CHANNELS)]
    program = np.zeros((2, 16), np.int32)
    program[0, :14] = (1, COLUMNS // 32, 2, bits // 4, ROWS // 16, 1, 1, 0, 0, weights.exponent + 23, 0, 0, 0,
                       weights.exponent)  # fmt: skip
    y = aligned(np.zeros((TOKENS, ROWS), np.int32))
    buffers = [*map(aligned, (*channels, program, vector_bytes(x))), y]
    sizes = [len(program), len(channels[0]), x.mantissa.size, y.size // 16]
    network = build_files(SOURCES, variant)
    network.run(buffers, [TOKENS, 0, 0, *sizes])
    np.testing.assert_array_equal(y, multiply(weights, x, 16, 12))
    assert (network.cycles() > len(channels[0])) == (variant is Variant.TIMED)
