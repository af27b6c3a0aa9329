"""What a launch is checked for: pipelines that stall, memory written and read, words left over."""

from pathlib import Path

import numpy as np
import pytest

from tests.hls_lib.emulator.conftest import BuildNetwork
from tests.hls_lib.emulator.network import AnyArray, LaunchError, Network, Variant, aligned

LOOP = (Path(__file__).parent / "loop.cpp").read_text()
STALLING = LOOP.replace("STB_FLUSHABLE(1)", "STB_PIPELINE(1)")
WORDS = 8


def draining(source: str) -> str:
    """The stalling loop, entered for each vector."""
    head = "  for (int v = 0; v < 4; ++v) {\n"
    return source.replace(head, f"{head}    STB_ENTER(4)\n", 1)


def run(network: Network, send: int = WORDS, receive: int = WORDS) -> AnyArray:
    x = np.arange(16 * max(send, WORDS), dtype=np.int32).reshape(-1, 16)
    y = aligned(np.zeros((max(receive, WORDS), 16), np.int32))
    network.run([aligned(x), y], [send, receive])
    return y


@pytest.mark.parametrize("source", [LOOP, draining(STALLING)], ids=["flushable", "entered anew"])
def test_the_strict_mode_lets_pipelines_that_drain_pass(build_network: BuildNetwork, source: str) -> None:
    assert run(build_network(source, Variant.STRICT)).reshape(-1).tolist() == list(range(16 * WORDS))


def test_the_strict_mode_finds_a_loop_that_stalls_with_its_vector_inside(build_network: BuildNetwork) -> None:
    assert run(build_network(STALLING, Variant.FAST)).any()
    with pytest.raises(LaunchError, match="deadlock: these processes wait for each other") as stopped:
        run(build_network(STALLING, Variant.STRICT))
    assert stopped.value.code == 1
    assert "loop.norm waits to read loop.x" in str(stopped.value)


def test_the_strict_mode_knows_how_long_a_pipeline_is(build_network: BuildNetwork) -> None:
    network = build_network(STALLING, Variant.STRICT)
    assert network.set("strict.latency", 1) == 0
    with pytest.raises(LaunchError, match="deadlock"):
        run(network)
    network.set("strict.latency", 16)


def test_memory_written_and_read_in_one_launch_is_refused(build_network: BuildNetwork) -> None:
    memory = aligned(np.zeros((WORDS, 16), np.int32))
    build_network(LOOP, Variant.FAST).run([memory, memory], [WORDS, WORDS])
    with pytest.raises(LaunchError, match="reads memory that the same launch has written") as stopped:
        build_network(LOOP, Variant.STRICT).run([memory, memory], [WORDS, WORDS])
    assert stopped.value.code == 2


def test_words_left_in_a_stream_fail_the_launch(build_network: BuildNetwork) -> None:
    network = build_network(LOOP, Variant.FAST)
    with pytest.raises(LaunchError, match=r"stream last holds 3 tokens after the launch \(depth 8\)") as stop:
        run(network, receive=WORDS - 3)
    assert stop.value.code == 2
    assert run(network).any()


def test_a_call_that_has_begun_fails_the_launch(build_network: BuildNetwork) -> None:
    expected = "the launch ended in the middle of a call: loop.matmul waits to read first"
    with pytest.raises(LaunchError, match=expected):
        run(build_network(LOOP, Variant.FAST), send=WORDS + 3)


def test_a_process_with_too_little_is_named_with_the_one_it_waits_for(build_network: BuildNetwork) -> None:
    network = build_network(LOOP, Variant.FAST)
    expected = r"a process waits .* that will not come\n  control.write_y waits to read last .*\n"
    with pytest.raises(LaunchError, match=expected + "  loop.matmul waits to read first"):
        run(network, send=WORDS - 1)


def test_memory_that_is_not_aligned_is_refused(build_network: BuildNetwork) -> None:
    memory = aligned(np.zeros(16 * WORDS + 1, np.int32))[1:]
    with pytest.raises(LaunchError, match="a memory region does not begin at a multiple of 64 bytes"):
        build_network(LOOP, Variant.FAST).run([memory, memory], [WORDS, WORDS])


def test_a_tap_sees_the_words_of_a_stream_in_order(build_network: BuildNetwork) -> None:
    network = build_network(LOOP, Variant.FAST)
    x = aligned(np.arange(16 * WORDS, dtype=np.int32))
    y = aligned(np.zeros_like(x))
    for stream, passes in (("loop.x", 4), ("control_has_no_such", 0), ("last", 1)):
        assert b"".join(network.tapped(stream, [x, y], [WORDS, WORDS])) == x.tobytes() * passes


def test_an_unknown_setting_is_refused(build_network: BuildNetwork) -> None:
    network = build_network(LOOP, Variant.FAST)
    assert [network.set(key, 8) for key in ("depth.loop.x", "dept.loop.x")] == [0, 1]
    assert network.set("depth.loop.x", 0) == 1
