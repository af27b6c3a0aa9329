"""Finds Vitis and a card's platform on this machine, and says which version takes which platform."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from stbuild.errors import StbuildError
from stbuild.platform import PLATFORMS_DIR, Platform
from stbuild.toolchain.vitis.settings import Settings

_VERSION = re.compile(r"(?<![\d.])(20[12]\d\.[1-4])(?:\.\d+)?(?![\d])")
_ASK_S = 60

Look = Callable[[str], bool]
"""Whether there is something at a path."""


@dataclass(frozen=True, kw_only=True)
class Vitis:
    """An installed Vitis: its folder, its version such as `2022.2`, and what named it."""

    root: str
    version: str
    named_by: str

    def program(self, name: str) -> str:
        """Where one of its programs lies."""
        return f"{self.root}/bin/{name}"

    @property
    def siblings(self) -> tuple[str, ...]:
        """The folders of Vivado and Vitis HLS of the same version, in either order of folders."""
        root = Path(self.root)
        names = ("Vivado", "Vitis_HLS")
        if root.name == "Vitis":
            return tuple(str(root.parent / name) for name in names)
        return tuple(str(root.parent.parent / name / root.name) for name in names)


def find_vitis(look: Look, settings: Settings, environment: Mapping[str, str]) -> Vitis | None:
    """The Vitis that the settings, XILINX_VITIS or PATH name, in this order; None without one."""
    for root, named_by in _candidates(settings, environment):
        if look(f"{root}/bin/v++"):
            version = _version(str(Path(root).resolve()))
            return Vitis(root=root, version=version, named_by=named_by)
        if named_by != "PATH":
            raise StbuildError(f"{named_by} is {root}, which has no bin/v++", hint="name Vitis's own folder")
    return None


def refused_version(vitis: Vitis, platform: Platform, look: Look) -> StbuildError | None:
    """Why this Vitis does not take the platform, with a version that does; None where it does."""
    if vitis.version in platform.vitis_versions:
        return None
    known = " or ".join(platform.vitis_versions)
    there = [root for root in _others(vitis, platform) if look(f"{root}/bin/v++")]
    hint = f"set XILINX_VITIS={there[-1]}" if there else f"install Vitis {platform.vitis_versions[-1]}"
    return StbuildError(
        f"Vitis {vitis.version} ({vitis.named_by}) refuses {platform.vitis_platform}, which takes {known}",
        hint=hint,
    )


def find_platform(
    platform: Platform, vitis: Vitis, look: Look, settings: Settings, environment: Mapping[str, str]
) -> str | None:
    """The folder of platforms that has the one of this card."""
    for folder in _platform_folders(vitis, settings, environment):
        if look(f"{folder}/{platform.vitis_platform}/{platform.vitis_platform}.xpfm"):
            return folder
    return None


def _candidates(settings: Settings, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if settings.path:
        yield str(Path(settings.path).expanduser()), "[tool.stbuild.vitis] path"
    elif environment.get("XILINX_VITIS"):
        yield environment["XILINX_VITIS"].rstrip("/"), "XILINX_VITIS"
    else:
        for folder in environment.get("PATH", "").split(os.pathsep):
            if Path(folder).is_absolute() and Path(folder).name == "bin":
                yield str(Path(folder).parent), "PATH"


def _version(root: str) -> str:
    """From the folder's name, else from the tool."""
    named = _VERSION.findall(root)
    return named[-1] if named else _asked(f"{root}/bin/v++")


def _asked(program: str) -> str:
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=_ASK_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StbuildError(f"{program} cannot be started: {error}") from error
    found = re.search(r"v(20\d\d\.\d)", done.stdout)
    if found is None:
        raise StbuildError(f"{program} --version tells no version", hint="is this Vitis?")
    return found[1]


def _others(vitis: Vitis, platform: Platform) -> Iterator[str]:
    """Where other versions would lie beside this one."""
    for version in platform.vitis_versions:
        if vitis.version in vitis.root:
            yield vitis.root.replace(vitis.version, version)


def _platform_folders(vitis: Vitis, settings: Settings, environment: Mapping[str, str]) -> Iterator[str]:
    yield from (str(Path(folder).expanduser()) for folder in settings.platforms)
    for folder in environment.get("PLATFORM_REPO_PATHS", "").split(os.pathsep):
        if Path(folder).is_absolute():
            yield str(Path(folder))
    yield str(PLATFORMS_DIR)
    yield from (f"{vitis.root}/{name}" for name in ("platforms", "base_platforms"))
