"""Puts the mock Vitis and its platforms into a folder as real ones lie: Vitis/<version>, platforms/."""

import json
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stbuild.layout import LOCKS
from stbuild.platform import DspKind, Platform
from tests.accelerator import platform
from tests.hls_lib.synthesis_branch import ap_types

CHECKOUT = Path(__file__).resolve().parents[2]
MOCK = Path(__file__).parent / "mock_vitis"
CARDS = ("u55c", "u280", "vck5000")
PARTS = (
    *("stbuild/errors.py", "stbuild/package/xclbin.py", "stbuild/package/axlf.py"),
    "tests/hls_lib/kernel_text.py",
)
"""What the mock uses of this checkout."""


@dataclass(frozen=True, kw_only=True)
class Installation:
    """A mock Vitis with its platforms."""

    root: Path
    platforms: Path

    @property
    def env(self) -> dict[str, str]:
        """The variables by which stbuild finds it, with cards of its own."""
        return {
            "XILINX_VITIS": str(self.root),
            "PLATFORM_REPO_PATHS": str(self.platforms),
            LOCKS: str(self.platforms),
        }

    def trouble(self, kind: str) -> None:
        """Make the next runs end badly: ii, slack, scaled, over, licence, killed; nothing ends it."""
        (self.root / "trouble").write_text(kind)


def install(
    folder: Path, version: str = "2022.2", *, optimise: str = "-O1", objects: Iterable[Path] = ()
) -> Installation:
    """An installation below `folder`; g++ makes its images with `optimise`, `objects` are the emulator's."""
    root = folder / "Vitis" / version
    shutil.copytree(MOCK, root / "lib/tests/toolchain/mock_vitis")
    shutil.copytree(CHECKOUT / "hls_lib", root / "hls_lib")
    shutil.copytree(CHECKOUT / "tests/hls_lib/synthesis", root / "include/stand_in")
    shutil.copytree(ap_types(), root / "include/ap_types")
    for part in PARTS:
        (root / "lib" / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / part, root / "lib" / part)
    (root / "mock.json").write_text(json.dumps({"version": version, "optimise": optimise}))
    (root / "objects").mkdir()
    for made in objects:
        shutil.copy(made, root / "objects")
    (root / "bin").mkdir()
    for name, module in (("v++", "vpp"), ("emconfigutil", "emconfigutil")):
        program = root / "bin" / name
        start = f"from tests.toolchain.mock_vitis.{module} import main"
        code = f"import sys; sys.path.insert(0, '{root}/lib'); {start}; sys.exit(main())"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -c "{code}" "$@"\n')
        program.chmod(0o755)
    for card in CARDS:
        _install_platform(folder / "platforms", platform(card))
    return Installation(root=root, platforms=folder / "platforms")


def card_data(value: Platform) -> dict[str, object]:
    """What the mock knows of a card."""
    memory = value.memory
    tag, bracket, _ = memory.tag.partition("[")
    return {
        "name": value.vitis_platform,
        "part": value.part,
        "versions": value.vitis_versions,
        "slrs": len(value.slrs),
        "memories": {tag: memory.banks if bracket else 0},
        "tags": memory.tags,
        "bank_bytes": memory.total_bytes // len(memory.tags),
        "base_address": memory.base_address,
        "axi_ports": value.axi.limit,
        "default_mhz": value.clocks.default_mhz,
        "versal": value.dsp.type is DspKind.DSP58,
    }


def _install_platform(folder: Path, value: Platform) -> None:
    place = folder / value.vitis_platform
    place.mkdir(parents=True)
    (place / f"{value.vitis_platform}.xpfm").write_text("<sdx:platform/>\n")
    (place / "mock.json").write_text(json.dumps(card_data(value)))
