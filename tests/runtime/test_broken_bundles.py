"""A bundle with something missing, cut or foreign: one sentence each."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from stbuild.errors import StbuildError
from stbuild.package.bundle import Manifest, load_bundle
from stbuild.runtime.devices.native import NativeDevice

MakeBundle = Callable[..., Path]


def test_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(
        StbuildError, match=r"there is no bundle: manifest.json is missing \(build it first\)"
    ):
        load_bundle(tmp_path)


def test_a_missing_weights_file(make_bundle: MakeBundle) -> None:
    folder = make_bundle()
    (folder / "weights/weights_0.bin").unlink()
    with pytest.raises(StbuildError, match=r"weights/weights_0.bin of buffer 'weights_0' is missing"):
        load_bundle(folder)


def test_a_cut_weights_file(make_bundle: MakeBundle) -> None:
    folder = make_bundle()
    path = folder / "weights/weights_0.bin"
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(StbuildError, match=r"weights_0.bin has 4000 bytes, buffer 'weights_0' needs 4096"):
        load_bundle(folder)


def test_a_missing_image(make_bundle: MakeBundle) -> None:
    folder = make_bundle()
    (folder / "double.xclbin").unlink()
    with pytest.raises(StbuildError, match=r"the kernel image double.xclbin is missing"):
        load_bundle(folder)


def test_a_cut_image(make_bundle: MakeBundle) -> None:
    folder = make_bundle()
    data = (folder / "double.xclbin").read_bytes()
    (folder / "double.xclbin").write_bytes(data[:-8])
    with pytest.raises(
        StbuildError, match=f"the xclbin has {len(data) - 8} bytes, its header says {len(data)}"
    ):
        NativeDevice(load_bundle(folder))


def test_an_image_for_another_machine(make_bundle: MakeBundle, image: bytes) -> None:
    foreign = image[:18] + (243).to_bytes(2, "little") + image[20:]
    with pytest.raises(
        StbuildError, match=r"the kernel image was built for riscv64, this machine is \w+"
    ) as caught:
        NativeDevice(load_bundle(make_bundle(binary=foreign)))
    assert caught.value.exit_code == 1


def test_an_image_for_another_processor(make_bundle: MakeBundle, manifest: Manifest) -> None:
    manifest = replace(manifest, cpu_flags=("sse2", "avx4096"))
    with pytest.raises(StbuildError, match="built for a processor with avx4096, which this machine lacks"):
        NativeDevice(load_bundle(make_bundle(manifest)))


def test_a_bitstream_is_no_emulated_card(make_bundle: MakeBundle) -> None:
    with pytest.raises(StbuildError, match="the xclbin holds no kernel image for an emulated card"):
        NativeDevice(load_bundle(make_bundle(binary=b"\0" * 100)))


def test_a_cut_image_inside_a_whole_xclbin(make_bundle: MakeBundle, image: bytes) -> None:
    with pytest.raises(StbuildError, match=r"double.xclbin: the kernel image was cut off"):
        NativeDevice(load_bundle(make_bundle(binary=image[:2000])))


def test_an_image_that_cannot_be_loaded(make_bundle: MakeBundle, image: bytes) -> None:
    program = image[:16] + (9).to_bytes(2, "little") + image[18:]
    with pytest.raises(StbuildError, match=r"double.xclbin: the kernel image cannot be loaded: only ET_DYN"):
        NativeDevice(load_bundle(make_bundle(binary=program)))


def test_the_xclbin_of_another_model(make_bundle: MakeBundle, image: bytes) -> None:
    other = (make_bundle(binary=image + b"x") / "double.xclbin").read_bytes()
    folder = make_bundle()
    (folder / "double.xclbin").write_bytes(other)
    sentence = r"double.xclbin: the xclbin is that of another model or build: its UUID is [0-9a-f-]{36}, the"
    with pytest.raises(StbuildError, match=sentence):
        load_bundle(folder)


def test_the_xclbin_of_another_card(make_bundle: MakeBundle) -> None:
    folder = make_bundle()
    data = (folder / "double.xclbin").read_bytes()
    (folder / "double.xclbin").write_bytes(data.replace(b"xilinx:u55c:", b"xilinx:u280:", 1))
    with pytest.raises(StbuildError, match=r"is for the shell xilinx:u280:.*, the bundle for xilinx:u55c"):
        load_bundle(folder)


def test_an_xclbin_that_is_none(make_bundle: MakeBundle) -> None:
    folder = make_bundle()
    (folder / "double.xclbin").write_bytes(b"xclbin2")
    with pytest.raises(StbuildError, match=r"double.xclbin: this is not an xclbin file"):
        load_bundle(folder)


def test_a_damaged_xclbin(make_bundle: MakeBundle) -> None:
    folder = make_bundle()
    data = bytearray((folder / "double.xclbin").read_bytes())
    data[3000] ^= 1
    (folder / "double.xclbin").unlink()
    (folder / "double.xclbin").write_bytes(data)
    with pytest.raises(StbuildError, match="the xclbin is damaged: its content does not match its UUID"):
        NativeDevice(load_bundle(folder))


def test_an_image_without_the_interface(make_bundle: MakeBundle, image: bytes) -> None:
    with pytest.raises(StbuildError, match="the kernel image has no function stb_run"):
        NativeDevice(load_bundle(make_bundle(binary=image.replace(b"stb_run\0", b"stb_ruN\0"))))
