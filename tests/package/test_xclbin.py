"""The .xclbin writer: reproducible, read back by us, and read by the real XRT where it is installed."""

import shutil
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stbuild.errors import StbuildError
from stbuild.package import axlf, xclbin
from stbuild.package.axlf import Axlf, Mode, Section, SectionKind
from stbuild.package.xclbin import KernelArgument, KernelIp, MemoryBank, MemType, Xclbin

XRT_CLIENT = r"""
#include <xrt/xrt_uuid.h>
#include <experimental/xrt_xclbin.h>
#include <iostream>
int main(int, char** argv) {
  xrt::xclbin file{std::string(argv[1])};
  std::cout << "uuid " << file.get_uuid().to_string() << "\nplatform " << file.get_xsa_name() << "\n";
  for (auto& mem : file.get_mems())
    std::cout << "mem " << mem.get_tag() << " " << mem.get_size_kb() << " " << mem.get_used() << "\n";
  for (auto& kernel : file.get_kernels()) {
    std::cout << "kernel " << kernel.get_name() << " " << kernel.get_cus().size() << "\n";
    for (auto& arg : kernel.get_args()) {
      std::cout << "arg " << arg.get_index() << " " << arg.get_name() << " " << arg.get_offset() << " "
                << arg.get_size();
      for (auto& mem : arg.get_mems()) std::cout << " " << mem.get_tag();
      std::cout << "\n";
    }
  }
}
"""


def sample() -> Xclbin:
    control = KernelIp(
        name="control",
        units=("control_1",),
        arguments=(
            KernelArgument(name="weights_0", bytes=8, banks=(0,), port="m_axi_weights_0"),
            KernelArgument(name="kv", bytes=8, banks=(1, 2), port="m_axi_kv"),
            KernelArgument(name="n", bytes=4),
            KernelArgument(name="pos", bytes=4),
        ),
    )
    banks = tuple(
        MemoryBank(tag=f"HBM[{i}]", type=MemType.HBM, bytes=2**29, base_address=i * 2**29, used=i < 3)
        for i in range(4)
    )
    return Xclbin(
        name="tiny",
        platform="u55c",
        shell="xilinx_u55c_gen3x16_xdma_base_3",
        mode=Mode.SW_EMU,
        clock_mhz=250,
        memories=banks,
        kernels=(KernelIp(name="seg_0", units=("seg_0_1",)), control),
        image=b"\x7fELF not really",
    )


def test_the_same_content_is_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "a.xclbin").write_bytes(xclbin.encode(sample()))
    (tmp_path / "b.xclbin").write_bytes(xclbin.encode(sample()))
    assert (tmp_path / "a.xclbin").read_bytes() == (tmp_path / "b.xclbin").read_bytes()


def test_another_image_is_another_uuid(tmp_path: Path) -> None:
    (tmp_path / "a.xclbin").write_bytes(xclbin.encode(sample()))
    (tmp_path / "b.xclbin").write_bytes(xclbin.encode(replace(sample(), image=b"\x7fELF not reallY")))
    assert axlf.read(tmp_path / "a.xclbin").uuid != axlf.read(tmp_path / "b.xclbin").uuid


def unit_names(ip_layout: bytes) -> tuple[str, ...]:
    """The `kernel:unit` names of an IP_LAYOUT section: a count, then entries of 80 bytes that end so."""
    (count,) = struct.unpack_from("<i", ip_layout)
    names = (ip_layout[8 + 80 * i :][16:80] for i in range(count))
    return tuple(name.rstrip(b"\0").decode() for name in names)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.xclbin").write_bytes(xclbin.encode(sample()))
    file = axlf.read(tmp_path / "a.xclbin")
    assert xclbin.kernel_image(tmp_path / "a.xclbin") == sample().image
    assert xclbin.memory_topology(file.section(SectionKind.MEM_TOPOLOGY)) == sample().memories
    assert unit_names(file.section(SectionKind.IP_LAYOUT)) == ("control:control_1", "seg_0:seg_0_1")
    assert file.platform_vbnv == "xilinx:u55c:gen3x16_xdma_base:3.0"


@given(
    st.lists(st.tuples(st.integers(0, 31), st.text("ab", max_size=15), st.binary(max_size=50)), max_size=5)
)
def test_decode_inverts_encode(parts: list[tuple[int, str, bytes]]) -> None:
    sections = tuple(Section(kind=k, name=n, data=d) for k, n, d in parts)
    original = Axlf(mode=Mode.SW_EMU, platform_vbnv="a:b:c:1.0", sections=sections)
    decoded = axlf.decode(axlf.encode(original), "x")
    assert replace(decoded, uuid=None) == original


@given(st.data())
def test_a_cut_file_is_refused(data: st.DataObject) -> None:
    whole = axlf.encode(
        Axlf(mode=5, platform_vbnv="a:b:c:1", sections=(Section(kind=0, name="x", data=b"abc"),))
    )
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(StbuildError, match=r"not an xclbin file|its header says"):
        axlf.decode(cut, "x.xclbin")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(StbuildError, match="the xclbin cannot be read: No such file"):
        axlf.read(tmp_path / "none.xclbin")


def test_a_missing_section(tmp_path: Path) -> None:
    (tmp_path / "a.xclbin").write_bytes(axlf.encode(Axlf(mode=5, platform_vbnv="a", sections=())))
    with pytest.raises(StbuildError, match="the xclbin has no section BITSTREAM"):
        xclbin.kernel_image(tmp_path / "a.xclbin")


def test_xrt_reads_the_file(tmp_path: Path) -> None:
    if not Path("/usr/include/xrt/xclbin.h").exists() or shutil.which("g++") is None:
        pytest.skip("XRT and g++ are missing: apt-get install libxrt-dev uuid-dev g++")
    (tmp_path / "client.cpp").write_text(XRT_CLIENT)
    client = tmp_path / "client"
    subprocess.run(
        [
            "g++",
            "-std=c++17",
            "-I/usr/include/xrt",
            "-o",
            client,
            tmp_path / "client.cpp",
            "-lxrt_coreutil",
            "-luuid",
        ],
        check=True,
    )
    (tmp_path / "a.xclbin").write_bytes(xclbin.encode(sample()))
    seen = subprocess.run([client, tmp_path / "a.xclbin"], check=True, capture_output=True, text=True).stdout
    uuid = axlf.read(tmp_path / "a.xclbin").uuid
    assert seen.splitlines() == [
        f"uuid {uuid}",
        "platform xilinx:u55c:gen3x16_xdma_base:3.0",
        *[f"mem HBM[{i}] 524288 {int(i < 3)}" for i in range(4)],
        "mem MBG[1:2] 1048576 1",
        "kernel seg_0 1",
        "kernel control 1",
        "arg 0 weights_0 16 8 HBM[0]",
        "arg 1 kv 28 8 HBM[1] MBG[1:2] HBM[2]",
        "arg 2 n 40 4",
        "arg 3 pos 48 4",
    ]
