"""What XRT finds around itself: a folder of one device, with its libraries, configuration and socket."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from stbuild.errors import StbuildError
from stbuild.package import axlf, xclbin
from stbuild.package.axlf import SectionKind
from stbuild.package.bundle import Bundle
from stbuild.runtime.devices.xrt.install import EMULATION, Xrt, cured_emulation
from stbuild.runtime.devices.xrt.model import PROGRAM

PREFIX = "stbuild-xrt-"
LOG = "log"
EMCONFIG = "emconfig.json"
"""What an emulated card looks like, as XRT reads it; beside a bundle for hardware emulation."""
PACKET_BYTES = 262144
"""Of a sync in emulation; measured best of 64 KiB to 8 MiB, of which the last is XRT's default."""
TUNABLES = "glibc.malloc.mmap_threshold=67108864:glibc.malloc.trim_threshold=268435456"
"""XRT copies each packet twice into new memory, which malloc would get from the kernel anew: with it,
loading took half as long (measured)."""

_PLACE = Path("/tmp")
"""XRT puts its socket below /tmp whatever TMPDIR says."""
_MODEL_PLACES = ("cpu_em", "sw_emu")
"""XRT 2.13 looks in the first, 2.25 in the second."""
_OF_OTHERS = (
    *("XCL_EMULATION_MODE", "EMCONFIG_PATH", "VITIS_SW_EMU_ENABLE_SINGLE_MMAP", "ENABLE_KERNEL_DEBUG"),
    *("XILINX_SCOUT", "XILINX_SDX", "XILINX_OPENCL", "XILINX_HLS", "XILINX_VIVADO"),
)
"""Variables that would lead XRT elsewhere."""


def make_folder() -> Path:
    """A new folder of this process; those of processes that are gone are removed."""
    for stale in _stale():
        shutil.rmtree(stale, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=_PLACE))


def card_environment(folder: Path, xrt: Xrt, environ: Mapping[str, str]) -> dict[str, str]:
    """For a card."""
    _link_libraries(folder / "xrt/lib", xrt)
    own = {name: value for name, value in environ.items() if name not in _OF_OTHERS}
    return own | {"XILINX_XRT": str(folder / "xrt")}


def simulation_environment(
    folder: Path, xrt: Xrt, bundle: Bundle, environ: Mapping[str, str]
) -> dict[str, str]:
    """For Vitis's hardware emulation, whose simulator is part of Vitis; untried."""
    if not environ.get("XILINX_VITIS"):
        raise StbuildError(
            "hardware emulation runs in Vitis's simulator, and XILINX_VITIS is not set",
            where=str(bundle.path),
            hint="source settings64.sh of the Vitis that linked the bundle",
        )
    if not (bundle.path / EMCONFIG).is_file():
        raise StbuildError(
            f"{EMCONFIG} is missing, which describes the simulated card",
            where=str(bundle.path),
            hint="build the bundle again with --target hw_emu",
        )
    return card_environment(folder, xrt, environ) | {
        "XCL_EMULATION_MODE": "hw_emu",
        "EMCONFIG_PATH": str(bundle.path.resolve()),
        "SDACCEL_EM_RUN_DIR": str(folder),
        "USER": folder.name,
    }


def emulation_environment(
    folder: Path, xrt: Xrt, bundle: Bundle, environ: Mapping[str, str], program: Path
) -> dict[str, str]:
    """For software emulation by our device model `program`, of a card with the xclbin's banks."""
    for place in _MODEL_PLACES:
        link = folder / "vitis/data/emulation/unified" / place / "generic_pcie/model" / PROGRAM
        link.parent.mkdir(parents=True)
        link.symlink_to(program.absolute())
    (folder / EMCONFIG).write_text(json.dumps(_emconfig(bundle)))
    (folder / "xrt.ini").write_text("[Runtime]\nkds_sw_emu=false\n[Emulation]\nkeep_run_dir=true\n")
    return card_environment(folder, xrt, environ) | {
        "XCL_EMULATION_MODE": "sw_emu",
        "XILINX_VITIS": str(folder / "vitis"),
        "XRT_INI_PATH": str(folder / "xrt.ini"),
        "EMCONFIG_PATH": str(folder),
        "SDACCEL_EM_RUN_DIR": str(folder),
        "USER": folder.name,  # where in /tmp the socket lies
        "SW_EMU_PACKET_SIZE": str(PACKET_BYTES),
        "GLIBC_TUNABLES": TUNABLES,
        "VITIS_SW_EMU_DISABLE_SINGLE_MMAP": "1",  # one file for each buffer, as before XRT 2.14
    }


def _stale() -> Iterator[Path]:
    for path in _PLACE.glob(f"{PREFIX}*"):
        owner = path.name.removeprefix(PREFIX).partition("-")[0]
        with suppress(OSError):
            if path.stat().st_uid == os.getuid() and not Path(f"/proc/{owner}").exists():
                yield path


def _link_libraries(folder: Path, xrt: Xrt) -> None:
    """XRT loads its parts from `$XILINX_XRT/lib`, which packages of Debian do not have."""
    folder.mkdir(parents=True)
    for path in [*xrt.folder.glob("libxrt*"), *xrt.folder.glob("libxdp*"), xrt.folder / "xrt"]:
        if path.name != EMULATION and path.exists():
            (folder / path.name).symlink_to(path)
    emulation = xrt.folder / EMULATION
    if emulation.is_file():
        library = emulation.read_bytes()
        cured = cured_emulation(library)
        if cured == library:
            (folder / EMULATION).symlink_to(emulation)
        else:
            (folder / EMULATION).write_bytes(cured)


def _emconfig(bundle: Bundle) -> dict[str, object]:
    """One bank for each entry of GROUP_TOPOLOGY, so that XRT's group ids are those of the banks."""
    file = axlf.read(bundle.xclbin)
    banks = xclbin.memory_topology(file.section(SectionKind.GROUP_TOPOLOGY))
    ddr = [{"Name": bank.tag, "Size": _size_name(bank.bytes)} for bank in banks]
    device = {"Name": file.platform_vbnv, "DdrBanks": ddr}
    board = {"Name": file.platform_vbnv, "NumBoards": "1", "Devices": [device]}
    return {"Version": {"FileVersion": "2.0"}, "Platform": {"Boards": [board]}}


def _size_name(size: int) -> str:
    """`512MB`: XRT knows names of powers of two, to which other sizes are rounded up."""
    size, unit = 1 << (size - 1).bit_length(), 0
    while size >= 1024:
        size, unit = size // 1024, unit + 1
    return f"{size}{('', 'K', 'M', 'G', 'T')[unit]}B"
