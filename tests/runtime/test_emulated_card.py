"""The native device over the real emulator: mapped weights, taps, deadlocks, several launches."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stbuild.errors import StbuildError
from stbuild.package.bundle import load_bundle
from stbuild.runtime.devices.native import NativeDevice
from stbuild.runtime.session import Session

HLS_LIB = Path(__file__).parents[2] / "hls_lib"


@pytest.fixture(scope="session")
def card(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """echo_card.cpp with the emulator, compiled."""
    out = tmp_path_factory.mktemp("card") / "card.so"
    sources = [Path(__file__).with_name("echo_card.cpp"), *sorted((HLS_LIB / "sim").glob("*.cpp"))]
    flags = ("-std=c++17", "-O1", "-fPIC", "-shared", "-I", str(HLS_LIB / "include"))
    subprocess.run(["g++", *flags, *map(str, sources), "-o", str(out)], check=True)
    return out.read_bytes()


@pytest.fixture
def device(make_bundle: Callable[..., Path], card: bytes) -> NativeDevice:
    return NativeDevice(load_bundle(make_bundle(binary=card)))


def scalars(pos: int) -> dict[str, int]:
    return {"n": 1, "pos": pos, "head": 1}


def test_a_session_sees_tokens_and_logits(make_bundle: Callable[..., Path], card: bytes) -> None:
    bundle = load_bundle(make_bundle(binary=card))
    session = Session(NativeDevice(bundle), bundle.manifest.model)
    assert [session.prefill((9, 4)), session.decode(77), session.decode(3)] == [9, 77, 3]
    weights = np.fromfile(bundle.path / "weights/weights_0.bin", np.int32)
    assert np.array_equal(session.logits(), weights[:272])


def test_a_tap_sees_every_word(device: NativeDevice) -> None:
    seen: list[bytes] = []
    device.tap("echo.inner", seen.append)
    for token in (5, 6):
        device.buffer("tokens").view(np.int32)[0] = token
        device.sync_to_device("tokens")
        device.launch(scalars(pos=0))
    assert [np.frombuffer(word, np.int32)[0] for word in seen] == [5, 6]
    with pytest.raises(StbuildError, match=r"no stream 'inner' \(did you mean 'echo.inner'\?\)"):
        device.tap("inner", seen.append)


def test_a_deadlock_names_the_stream_and_leaves_a_device_that_works(device: NativeDevice) -> None:
    with pytest.raises(StbuildError, match="words") as caught:
        device.launch(scalars(pos=7))
    assert caught.value.exit_code == 1 and "write_logits" in caught.value.message
    device.launch(scalars(pos=0))


def test_streams_tell_their_depths(device: NativeDevice) -> None:
    device.launch(scalars(pos=0))
    depths = {stream["name"]: stream["depth"] for stream in json.loads(device.streams())}
    assert depths == {"echo.inner": 2, "from_echo": 2, "to_echo": 2, "words": 4}


def test_an_option_of_the_emulator(device: NativeDevice) -> None:
    device.set("depth.words", 1)
    device.launch(scalars(pos=0))
    assert json.loads(device.streams())[-1] == {"name": "words", "depth": 1, "high": 1}
