"""What the tests of devices behind XRT share."""

import os
from pathlib import Path

import pytest

from stbuild.errors import StbuildError
from stbuild.runtime.devices.xrt.install import find_xrt


def need_xrt() -> None:
    """Skip the test by name on a machine without XRT."""
    try:
        find_xrt()
    except StbuildError as error:
        pytest.skip(str(error))


def processes_of(folder: str) -> list[int]:
    """Processes whose environment or arguments name `folder`: a worker, its device model, their helpers."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if folder.encode() in text and state != "Z" and int(process.name) != os.getpid():
            found.append(int(process.name))
    return found


def folders_of(process: int) -> list[Path]:
    """The folders of XRT devices that a process has open."""
    return sorted(Path("/tmp").glob(f"stbuild-xrt-{process}-*"))
