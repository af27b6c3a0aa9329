"""What every device owes its session, held against each of them: syncs, launches, sessions, names."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stbuild.errors import StbuildError
from stbuild.package.axlf import Mode
from stbuild.package.bundle import Argument, BufferArgument, Bundle, Manifest, load_bundle
from stbuild.runtime.devices.device import Device
from stbuild.runtime.devices.opening import open_device
from stbuild.runtime.session import Session
from tests.runtime.conftest import compile_shared
from tests.runtime.xrt import need_xrt

MakeBundle = Callable[..., Path]
SCALARS = {"n": 1, "pos": 0, "head": 1}


@pytest.fixture(params=["native", "xrt:0"])
def device(request: pytest.FixtureRequest, bundle: Bundle) -> Iterator[Device]:
    """Each kind of device with the double loaded."""
    if request.param != "native":
        need_xrt()
    opened = open_device(bundle, request.param)
    yield opened
    opened.close()


def launch(device: Device, token: int, *, sync: bool = True) -> None:
    device.buffer("tokens").view(np.int32)[0] = token
    if sync:
        device.sync_to_device("tokens", 4)
    device.start(SCALARS)
    device.wait()


def kv(device: Device) -> int:
    """The first token that the kernel kept."""
    device.sync_from_device("kv")
    return int(device.buffer("kv").view(np.int32)[0])


def test_tokens_that_were_not_synced_do_not_reach_the_device(device: Device) -> None:
    launch(device, 7)
    launch(device, 8, sync=False)
    assert kv(device) == 7
    launch(device, 8)
    assert kv(device) == 8


def test_results_that_were_not_synced_do_not_reach_the_host(device: Device) -> None:
    logits = device.buffer("logits").view(np.int32)
    before = logits.copy()
    launch(device, 7)
    assert np.array_equal(logits, before)
    device.sync_from_device("logits")
    assert not np.array_equal(logits, before)


def test_a_sync_carries_as_many_bytes_as_it_is_told(device: Device) -> None:
    buffer = device.buffer("kv").view(np.int32)
    buffer[:] = 5
    device.sync_to_device("kv")
    buffer[:] = 6
    device.sync_to_device("kv", 8)
    buffer[:] = 0
    device.sync_from_device("kv")
    assert buffer[:4].tolist() == [6, 6, 5, 5]
    buffer[:] = 0
    device.sync_from_device("kv", 4)
    assert buffer[:2].tolist() == [6, 0]


def test_weights_are_there_and_can_only_be_read(device: Device, bundle: Bundle) -> None:
    weights = device.buffer("weights_0")
    assert weights.tobytes() == (bundle.path / "weights/weights_0.bin").read_bytes()
    assert not weights.flags.writeable
    device.sync_to_device("weights_0")
    device.sync_from_device("weights_0")


def test_names_that_the_design_does_not_have(device: Device) -> None:
    with pytest.raises(StbuildError, match=r"no buffer 'logit' \(did you mean 'logits'\?\)"):
        device.buffer("logit")
    with pytest.raises(StbuildError, match="no buffer 'x'"):
        device.sync_to_device("x")
    with pytest.raises(StbuildError, match="no buffer 'x'"):
        device.sync_from_device("x")
    with pytest.raises(StbuildError, match="no scalar 'x'"):
        device.start({**SCALARS, "x": 1})


def test_a_deadlock_is_told_in_the_emulators_words(device: Device) -> None:
    begin = time.monotonic()
    with pytest.raises(StbuildError, match=r"deadlock: a waits to read f \(depth 2\), b waits") as caught:
        launch(device, 271)
    assert caught.value.exit_code == 1
    assert time.monotonic() - begin < 5


def test_launches_are_started_and_waited_for_in_turns(device: Device) -> None:
    with pytest.raises(ValueError, match="no launch was started"):
        device.wait()
    device.start(SCALARS)
    with pytest.raises(ValueError, match="a launch was started and not waited for"):
        device.start(SCALARS)
    device.wait()


def test_nothing_to_sync(device: Device) -> None:
    device.sync_to_device("tokens", 0)
    device.sync_from_device("tokens", 0)
    launch(device, 7)


def test_a_device_may_be_closed_twice(device: Device) -> None:
    device.close()
    device.close()


def test_a_session_through_xrt_equals_a_native_one(bundle: Bundle) -> None:
    need_xrt()
    seen = [answer(bundle, name) for name in ("native", "xrt:0")]
    assert seen[0][0] == seen[1][0]
    assert np.array_equal(seen[0][1], seen[1][1])


@pytest.mark.parametrize("mode", [Mode.FLAT, Mode.HW_EMU])
def test_an_image_for_this_host_is_emulated(make_bundle: MakeBundle, mode: Mode) -> None:
    """Whatever it was linked for, as by the mock of v++."""
    need_xrt()
    bundle = load_bundle(make_bundle(mode=mode))
    seen = [answer(bundle, name) for name in ("native", "xrt:0")]
    assert seen[0][0] == seen[1][0]
    assert np.array_equal(seen[0][1], seen[1][1])


def answer(bundle: Bundle, name: str) -> tuple[list[int], np.ndarray]:
    """Tokens and logits of a prompt in chunks, with a step back."""
    device = open_device(bundle, name)
    with Session(device, bundle.manifest.model) as session:
        tokens = [session.prefill(range(20))]
        logits = [session.logits()]
        session.rewind(17)
        for _ in range(6):
            tokens.append(session.decode(tokens[-1] % 200))
            logits.append(session.logits())
    device.close()
    return tokens, np.stack(logits)


def test_a_buffer_with_two_pointers(make_bundle: MakeBundle, manifest: Manifest, tmp_path: Path) -> None:
    """As the KV cache has them: one to read, one to write."""
    need_xrt()
    image = compile_shared(Path(__file__).with_name("double.c"), tmp_path, "-DTWO_POINTERS")
    arguments = tuple(
        replace(each, pointers=2) if isinstance(each, BufferArgument) and each.buffer == "kv" else each
        for each in manifest.arguments
    )
    folder = make_bundle(replace(manifest, arguments=arguments), binary=image)
    seen = [answer(load_bundle(folder), name) for name in ("native", "xrt:0")]
    assert seen[0][0] == seen[1][0]


def test_a_buffer_that_spans_banks(make_bundle: MakeBundle, manifest: Manifest) -> None:
    """XRT puts it into the group of its banks, since no bank would hold it."""
    need_xrt()
    arguments = tuple(
        replace(each, bytes=600 << 20, last_bank=1)
        if isinstance(each, BufferArgument) and each.buffer == "kv"
        else each
        for each in manifest.arguments
    )
    folder = make_bundle(replace(manifest, arguments=arguments))
    seen = [answer(load_bundle(folder), name) for name in ("native", "xrt:0")]
    assert seen[0][0] == seen[1][0]


@pytest.mark.parametrize("size", [4096, 8 << 20])
def test_what_the_host_never_wrote_is_unknown(make_bundle: MakeBundle, manifest: Manifest, size: int) -> None:
    """As on a card: the device model does not start with zeros."""
    need_xrt()
    more = replace(manifest.buffers[2], buffer="more", bytes=size)
    arguments: tuple[Argument, ...] = (*manifest.buffers, more, *manifest.scalars)
    device = open_device(load_bundle(make_bundle(replace(manifest, arguments=arguments))), "xrt:0")
    launch(device, 7)
    device.sync_from_device("more")
    assert set(device.buffer("more")[[0, 1, size // 2, -1]]) == {0xA5}
    device.close()


def test_two_devices_do_not_touch_each_other(bundle: Bundle) -> None:
    need_xrt()
    first, second = (open_device(bundle, "xrt:0") for _ in range(2))
    launch(first, 7)
    launch(second, 8)
    assert (kv(first), kv(second)) == (7, 8)
    first.close()
    launch(second, 9)
    assert kv(second) == 9
    second.close()


@pytest.mark.parametrize("name", ["card", "xrt", "xrt:", "xrt:1234", "xrt:0 ", "XRT:0", "xrt:zz:00.1", ""])
def test_a_name_of_no_device(bundle: Bundle, name: str) -> None:
    with pytest.raises(StbuildError, match=r"there is no device '.*' \(`native`, `xrt:0`"):
        open_device(bundle, name)
