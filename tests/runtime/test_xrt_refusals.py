"""What can be wrong with an XRT, a card or a bundle for it: one sentence each, and nothing left behind."""

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from stbuild.errors import StbuildError
from stbuild.package.axlf import Mode
from stbuild.package.bundle import Bundle, Manifest, load_bundle
from stbuild.runtime.devices.opening import open_device
from stbuild.runtime.devices.xrt.cards import find_cards
from stbuild.runtime.devices.xrt.install import LIBRARY
from stbuild.runtime.session import Session
from tests.runtime.conftest import buffer, compile_shared
from tests.runtime.xrt import folders_of, need_xrt, processes_of

MakeBundle = Callable[..., Path]
HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root for XILINX_XRT with the mock."""
    folder = tmp_path_factory.mktemp("fake")
    (folder / "lib").mkdir()
    (folder / "lib" / LIBRARY).write_bytes(compile_shared(HERE / "fake_xrt.c", folder))
    return folder


@pytest.fixture
def mocked(fake: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes the mock the XRT, with `FAKE_XRT_…` set."""

    def use(**variables: object) -> None:
        monkeypatch.setenv("XILINX_XRT", str(fake))
        for name, value in variables.items():
            monkeypatch.setenv(f"FAKE_XRT_{name}", str(value))

    return use


def refusal(bundle: Bundle, name: str = "xrt:0") -> str:
    """What is said when the device is opened and used."""
    with pytest.raises(StbuildError) as caught:
        Session(open_device(bundle, name), bundle.manifest.model).decode(1)
    assert not folders_of(os.getpid()) and not processes_of(f"stbuild-xrt-{os.getpid()}-")
    return str(caught.value)


@pytest.mark.parametrize(
    ("step", "number", "sentence"),
    [
        ("open", errno.EACCES, "no permission to open card 0 (your user must be in the group `render`)"),
        ("open", errno.ENODEV, "XRT does not open card 0 (ENODEV) (`stbuild devices` lists what there is)"),
        ("load", errno.EOPNOTSUPP, "the xclbin is for another shell than the card's (build with the card's"),
        ("load", errno.EBUSY, "the card is in use: another process has loaded another xclbin"),
        ("load", errno.EKEYREJECTED, "the card refuses the xclbin, which is not signed"),
        ("load", errno.ETIMEDOUT, "the card's management driver does not answer (is xclmgmt loaded"),
        ("load", errno.EDEADLK, "the card hangs: a kernel of the last xclbin never ended (`xbutil reset"),
        ("load", errno.EINVAL, "XRT does not load the xclbin (EINVAL)"),
        ("kernel", errno.EBUSY, "the card is in use: another process has its kernel 'control'"),
        ("kernel", errno.EINVAL, "XRT does not open the kernel 'control' (EINVAL)"),
        ("run", errno.EINVAL, "XRT does not open the kernel 'control' (EINVAL)"),
        ("allocate", errno.ENOMEM, "buffer 'tokens' does not fit in bank HBM[0]"),
        ("sync", errno.EIO, "XRT refused to sync weights_0 (EIO)"),
        ("argument", errno.EINVAL, "XRT refused to take argument 0 (EINVAL)"),
        ("start", errno.EIO, "XRT refused to start (EIO)"),
    ],
)
def test_what_only_a_card_refuses(
    bundle: Bundle, mocked: Callable[..., None], step: str, number: int, sentence: str
) -> None:
    mocked(STEP=step, ERRNO=number)
    assert refusal(bundle).startswith(f"xrt:0: {sentence}")


def test_what_xrt_printed_stands_behind(bundle: Bundle, mocked: Callable[..., None]) -> None:
    mocked(STEP="load", ERRNO=errno.EINVAL, PRINTS="Xclbin is odd")
    assert refusal(bundle) == "xrt:0: XRT does not load the xclbin (EINVAL); XRT says: Xclbin is odd"


@pytest.mark.parametrize("state", [5, 6, 8])
def test_a_launch_that_ends_badly(bundle: Bundle, mocked: Callable[..., None], state: int) -> None:
    mocked(STATE=state)
    assert refusal(bundle).startswith(f"xrt:0: the launch failed in state {state} (`xbutil reset --device")


@pytest.mark.parametrize("dma", [True, False])
def test_weights_are_loaded_with_and_without_user_pointers(
    bundle: Bundle, mocked: Callable[..., None], monkeypatch: pytest.MonkeyPatch, dma: bool
) -> None:
    mocked(**({"DMA": 1} if dma else {}))
    device = open_device(bundle, "xrt:0")
    Session(device, bundle.manifest.model).decode(1)
    device.close()


def test_a_bundle_for_a_card_on_a_machine_without_one(make_bundle: MakeBundle) -> None:
    need_xrt()
    if find_cards():
        pytest.skip("this machine has a card")
    bundle = load_bundle(make_bundle(mode=Mode.FLAT, binary=b"bitstream"))
    assert refusal(bundle).startswith("this machine has no card that XRT's driver knows (is the module xocl")


def test_a_bundle_for_hardware_emulation(
    make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its simulator and its description of the card are no part of XRT."""
    need_xrt()
    bundle = load_bundle(make_bundle(mode=Mode.HW_EMU, binary=b"simulation"))
    monkeypatch.delenv("XILINX_VITIS", raising=False)
    assert "hardware emulation runs in Vitis's simulator, and XILINX_VITIS is not set" in refusal(bundle)
    monkeypatch.setenv("XILINX_VITIS", str(tmp_path))
    assert "emconfig.json is missing, which describes the simulated card" in refusal(bundle)
    assert "which is xrt:0 and not card 1" in refusal(bundle, "xrt:1")


@pytest.mark.parametrize("card", ["1", "0000:65:00.1"])
def test_a_bundle_for_the_emulated_card_on_another(bundle: Bundle, card: str) -> None:
    need_xrt()
    assert f"the bundle is for an emulated card, which is xrt:0 and not card {card}" in refusal(
        bundle, f"xrt:{card}"
    )


def test_no_xrt(bundle: Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XILINX_XRT", str(tmp_path))
    sentence = f"there is no XRT in {tmp_path}: lib/{LIBRARY} is missing (correct XILINX_XRT)"
    assert refusal(bundle) == sentence


def test_an_xrt_that_is_too_old(bundle: Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/libxrt_coreutil.so.2.8.743").touch()
    (tmp_path / "lib" / LIBRARY).symlink_to("libxrt_coreutil.so.2.8.743")
    monkeypatch.setenv("XILINX_XRT", str(tmp_path))
    assert refusal(bundle).startswith(
        f"XRT 2.8.743 in {tmp_path}/lib is too old: stbuild needs 2.13 or newer"
    )


def test_an_xrt_that_lacks_a_function(
    bundle: Bundle, fake: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "lib").mkdir()
    whole = (fake / "lib" / LIBRARY).read_bytes()
    (tmp_path / "lib" / LIBRARY).write_bytes(whole.replace(b"xrtRunWaitFor", b"xrtRunWaitFoo"))
    monkeypatch.setenv("XILINX_XRT", str(tmp_path))
    assert refusal(bundle).startswith("xrt:0: this XRT is too old: it has no function xrtRunWaitFor")


def test_an_xrt_that_cannot_be_loaded(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / LIBRARY).write_bytes(b"no library")
    monkeypatch.setenv("XILINX_XRT", str(tmp_path))
    assert refusal(bundle).startswith("xrt:0: XRT cannot be loaded: ")


def test_a_bank_that_is_too_small(make_bundle: MakeBundle, manifest: Manifest) -> None:
    need_xrt()
    huge = (*manifest.arguments, replace(buffer("more", 2**30), writable=True))
    bundle = load_bundle(make_bundle(replace(manifest, arguments=huge)))
    assert "bank HBM[0] is too small for buffer 'more': it holds 536870912 bytes, the buffer" in refusal(
        bundle
    )


def test_buffers_that_do_not_fit_in_a_bank_together(make_bundle: MakeBundle, manifest: Manifest) -> None:
    """The real XRT refuses the second one."""
    need_xrt()
    more = tuple(replace(buffer(f"more_{i}", 300 << 20), writable=True) for i in range(2))
    bundle = load_bundle(
        make_bundle(replace(manifest, arguments=(*manifest.buffers, *more, *manifest.scalars)))
    )
    assert refusal(bundle).startswith("xrt:0: buffer 'more_1' does not fit in bank HBM[0]")


def test_a_bundle_that_passes_other_arguments(make_bundle: MakeBundle, manifest: Manifest) -> None:
    need_xrt()
    folder = make_bundle()
    text = (folder / "manifest.json").read_text().replace('"pointers": 1', '"pointers": 2', 1)
    (folder / "manifest.json").write_text(text)
    assert "kernel control takes 8 arguments, the bundle passes 9 (build the" in refusal(load_bundle(folder))


@pytest.mark.parametrize("compiler", [None, "echo no such header >&2; exit 1"])
def test_a_model_that_does_not_compile(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, compiler: str | None
) -> None:
    """For want of a compiler, and with one that fails."""
    need_xrt()
    monkeypatch.setenv("STBUILD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    if compiler is None:
        assert refusal(bundle) == "XRT's software emulation needs g++ (apt-get install g++)"
        return
    (tmp_path / "g++").write_text(f"#!/bin/sh\n{compiler}\n")
    (tmp_path / "g++").chmod(0o755)
    assert "the device model for XRT does not compile: no such header" in refusal(bundle)


def test_a_model_that_cannot_be_started(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As on a file system without exec, or for another processor."""
    need_xrt()
    monkeypatch.setenv("STBUILD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    script = 'while [ "$1" != -o ]; do shift; done; echo no program > "$2"; chmod +x "$2"'
    (tmp_path / "g++").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "g++").chmod(0o755)
    assert refusal(bundle).startswith("xrt:0: XRT cannot start the device model; is the cache on a file")


def test_an_image_that_the_model_cannot_load(make_bundle: MakeBundle, image: bytes) -> None:
    need_xrt()
    without = image.replace(b"stb_run\0", b"stb_ruN\0")
    assert refusal(load_bundle(make_bundle(binary=without))) == "xrt:0: the kernel image has no stb_run"


def test_an_image_for_no_emulated_card(make_bundle: MakeBundle) -> None:
    need_xrt()
    said = refusal(load_bundle(make_bundle(binary=b"\0" * 100)))
    assert "the xclbin holds no kernel image for an emulated card" in said
