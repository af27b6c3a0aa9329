"""A stream that lends memory between copied words: the same words, bounds and reports as any other stream."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.hls_lib.emulator.conftest import BuildFiles
from tests.hls_lib.emulator.network import AnyArray, LaunchError, Network, Variant, aligned

SOURCE = (Path(__file__).parent / "mixed_runs.cpp",)
MEMORY = np.arange(256 * 16, dtype=np.int32).reshape(256, 16)

Step = tuple[int, int, int]


def words_of(steps: Sequence[Step]) -> AnyArray:
    """The words which the steps of a writer send."""
    return np.concatenate([MEMORY[first : first + count] for _, first, count in steps])


def run(network: Network, writes: Sequence[Step], reads: Sequence[Step], words: int) -> AnyArray:
    """One launch: what the reader took."""
    result = aligned(np.zeros((max(words, 1), 16), np.int32))
    buffers = [aligned(MEMORY), table(writes), table(reads), result]
    network.run(buffers, [len(writes), len(reads), words])
    return result[:words]


def table(steps: Sequence[Step]) -> AnyArray:
    """Steps as the kernel reads them."""
    rows = np.zeros((len(steps), 16), np.int32)
    rows[:, :3] = steps
    return aligned(rows)


def drawn_writes(draw: np.random.Generator) -> list[Step]:
    """Runs of memory, some of which go on where the one before ends, between copied words."""
    steps: list[Step] = []
    at = 0
    for _ in range(draw.integers(1, 25)):
        count = int(draw.integers(1, 40))
        first = at if draw.random() < 0.4 and at + count <= len(MEMORY) else int(draw.integers(0, 200))
        steps.append((int(draw.random() < 0.35), first, count))
        at = first + count
    return steps


def drawn_reads(draw: np.random.Generator, words: int) -> list[Step]:
    """Steps that take all words."""
    steps: list[Step] = []
    while words > 0:
        kind = int(draw.integers(0, 3))
        group = int(draw.integers(1, 10))
        count = min(words, group * int(draw.integers(1, 5)))
        if kind == 2 and count % group:
            kind = 1
        steps.append((kind, group, count))
        words -= count
    return steps


@pytest.mark.parametrize("variant", [Variant.FAST, Variant.PORTABLE, Variant.TIMED, Variant.STRICT])
def test_every_mix_of_runs_and_words_arrives(build_files: BuildFiles, variant: Variant) -> None:
    network = build_files(SOURCE, variant)
    draw = np.random.default_rng(1)
    for _ in range(300):
        writes = drawn_writes(draw)
        sent = words_of(writes)
        assert np.array_equal(run(network, writes, drawn_reads(draw, len(sent)), len(sent)), sent)
        (x,) = (stream for stream in network.streams() if stream["name"] == "control.x")
        assert x["high"] <= x["depth"] == 7


def test_lent_words_fill_a_stream_as_copied_ones_do(build_files: BuildFiles) -> None:
    network = build_files(SOURCE, Variant.FAST)
    with pytest.raises(LaunchError) as stopped:
        run(network, [(0, 0, 40)], [(0, 1, 5), (0, 1, 1)], 7)
    assert stopped.value.code == 1
    assert (
        "  control.write_x waits to write control.x (depth 7, fill 7, full, 13 written, 6 read)"
        in str(stopped.value).splitlines()
    )
    assert np.array_equal(run(network, [(0, 9, 30)], [(2, 3, 30)], 30), MEMORY[9:39])


def test_a_tap_sees_words_that_would_be_lent(build_files: BuildFiles) -> None:
    network = build_files(SOURCE, Variant.FAST)
    writes = [(0, 3, 20), (1, 60, 4), (0, 23, 20)]
    buffers = [aligned(MEMORY), table(writes), table([(2, 2, 44)]), aligned(np.zeros((44, 16), np.int32))]
    network.run(buffers, [3, 1, 44])
    tokens = network.tapped("control.x", buffers, [3, 1, 44])
    assert b"".join(tokens) == words_of(writes).tobytes()
    assert np.array_equal(buffers[3], words_of(writes))
