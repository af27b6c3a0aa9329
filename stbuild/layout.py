"""Where the things of an stbuild installation and of a workspace lie."""

import os
import tempfile
from pathlib import Path

LOCK_FILE = "stbuild.lock"
BUILD_FILE = "BUILD.yaml"
OUT_DIR = "stbuild-out"
STATE_DIR = ".stbuild"
PLUGIN_KINDS = ("rules", "platforms", "targets")
DEFAULT_PLATFORM = "u55c"
DEFAULT_TARGET = "sw_emu"
LOCKS = "STBUILD_DEVICE_LOCKS"
"""The variable that names another place for the locks of devices."""
LEASED = "STBUILD_LEASED"
"""The variable that tells what a process starts which device it has leased for it."""
NATIVE_CPU = "native"
"""Code of the host is made for the processor that builds it."""


def package_root() -> Path:
    """The folder of the `stbuild` package itself."""
    return Path(__file__).resolve().parent


def builtin_root() -> Path:
    """The folder that holds the built-in rules/, platforms/, targets/ and hls_lib/.

    A wheel carries them as `stbuild/_builtin`; a checkout has them beside the package.
    """
    inside = package_root() / "_builtin"
    return inside if inside.is_dir() else package_root().parent


def default_cache_dir() -> Path:
    """`$STBUILD_CACHE`, else `stbuild` in the user's cache folder."""
    named = os.environ.get("STBUILD_CACHE")
    if named:
        return Path(named).expanduser().absolute()
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache").absolute() / "stbuild"


def downloads_dir() -> Path:
    """Where downloaded packages are kept for every build of this user."""
    return default_cache_dir() / "downloads"


def lease_place() -> Path:
    """Where the locks of this machine's devices lie, which all its users share."""
    named, shared = os.environ.get(LOCKS), Path("/run/lock")
    return Path(named) if named else shared if shared.is_dir() else Path(tempfile.gettempdir())


def out_dir(root: Path) -> Path:
    """The folder for everything that a workspace at `root` builds."""
    return root / OUT_DIR


def state_dir(root: Path) -> Path:
    """The folder for the engine's own records of a workspace at `root`."""
    return out_dir(root) / STATE_DIR


def configuration_dir(platform: str, target: str, cpu: str = NATIVE_CPU) -> str:
    """The name, below `stbuild-out`, of one configuration's folder."""
    return f"{platform}-{target}" if cpu == NATIVE_CPU else f"{platform}-{target}-{cpu}"
