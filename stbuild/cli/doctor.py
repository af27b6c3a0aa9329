"""`stbuild doctor`: what this machine has and lacks, and which plugins are broken."""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from stbuild import __version__, layout
from stbuild.engine.execution.pool import machine_memory_mb
from stbuild.engine.keys.tools import ask_version, missing_tool
from stbuild.engine.keys.tracker import Tracker
from stbuild.engine.load.plugins import PluginIndex
from stbuild.engine.load.workspace import Workspace, find_workspace
from stbuild.engine.local import cgroup, landlock
from stbuild.errors import StbuildError
from stbuild.runtime.devices.xrt.install import EMULATION, broken_wrappers, find_xrt, loses_buffers
from stbuild.toolchain.vitis.find import find_platform, find_vitis, refused_version
from stbuild.toolchain.vitis.settings import settings_of


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at; `ok` is None for what is only good to know."""

    name: str
    ok: bool | None
    text: str


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("--json", action="store_true", help="machine-readable")
    parser.add_argument("--cache-dir", help="the cache to look at")
    parser.add_argument("--verbose", "-v", action="store_true", help="tell more")


def execute(options: argparse.Namespace) -> int:
    """Print every finding; 1 when something that is needed is missing."""
    findings = list(examine(options.cache_dir))
    if options.json:
        print(json.dumps([asdict(each) for each in findings], indent=2))
    else:
        for each in findings:
            sign = {True: "ok", False: "MISSING", None: "-"}[each.ok]
            print(f"{sign:8}{each.name:12}{each.text}")
    return 1 if any(each.ok is False for each in findings) else 0


def examine(cache_dir: str | None) -> Iterator[Finding]:
    """Look at everything that a build may need."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    yield Finding(name="stbuild", ok=True, text=f"{__version__} in {layout.package_root()}")
    yield Finding(name="python", ok=sys.version_info >= (3, 11), text=f"{version} ({sys.executable})")
    yield _tool("g++", True)
    for name in ("git", "clang++", "dot"):
        yield _tool(name, False)
    yield from _xrt()
    yield Finding(name="machine", ok=None, text=f"{os.cpu_count()} processors, {machine_memory_mb()} MB")
    yield from _sandbox()
    try:
        workspace = find_workspace(Path.cwd())
    except StbuildError as error:
        yield Finding(name="workspace", ok=False, text=str(error))
        return
    yield Finding(name="workspace", ok=True, text=str(workspace.root))
    yield _resources(workspace)
    yield from _vitis(workspace)
    yield _cache(Path(cache_dir) if cache_dir else workspace.cache or layout.default_cache_dir())
    yield from _plugins(workspace)


def _tool(name: str, needed: bool) -> Finding:
    path = shutil.which(name)
    if path is not None:
        return Finding(name=name, ok=True, text=ask_version(path))
    return Finding(name=name, ok=False if needed else None, text=str(missing_tool(name)))


def _xrt() -> Iterator[Finding]:
    """The Xilinx Runtime, which only devices `xrt:…` need, with what is wrong in some of its packages."""
    try:
        xrt = find_xrt()
    except StbuildError as error:
        yield Finding(name="xrt", ok=None, text=str(error))
    else:
        yield Finding(name="xrt", ok=True, text=str(xrt))
        if loses_buffers(xrt):
            text = (
                f"{xrt.folder / EMULATION} goes on to use memory that it has freed (CpuemShim::alloc_void): "
                "stbuild runs a cured copy of it; other programs need an XRT from AMD, 2.14 or newer"
            )
            yield Finding(name="xrt", ok=None, text=text)
    for name, program in broken_wrappers():
        text = (
            f"{name} only calls {program}, which no package of Debian has, and exits with 0: remove it "
            "(apt-get remove libxrt-utils) or install AMD's XRT; stbuild does not use it"
        )
        yield Finding(name="xrt", ok=None, text=text)


def _sandbox() -> Iterator[Finding]:
    if landlock.version():
        text = f"Landlock {landlock.version()}: an action reads and writes only what is declared"
    else:
        text = "this kernel has no Landlock: actions get a folder with links to their inputs, and no wall"
    yield Finding(name="sandbox", ok=None, text=text)
    spaces = landlock.empty_network() if landlock.version() else []
    for space in spaces:
        os.close(space)
    text = "none for an action, unless it declares `network`" if spaces else "open to every action"
    yield Finding(name="network", ok=None, text=text)
    place = cgroup.find_parent()
    text = "an action above its memory_mb is stopped; "
    if place is not None:
        text += f"the kernel sees to it (control groups, version {place.version})"
    else:
        text += "its processes are looked at four times a second"
    yield Finding(name="memory", ok=None, text=text)


def _resources(workspace: Workspace) -> Finding:
    named = ", ".join(f"{count} {name}" for name, count in sorted(workspace.resources.items()))
    text = named or "no licences or boards; `resources = { vitis = 2 }` in [tool.stbuild] declares some"
    return Finding(name="resources", ok=None, text=text)


def _vitis(workspace: Workspace) -> Iterator[Finding]:
    """Vitis as the workspace names it, and what each card needs of it."""
    try:
        settings = settings_of(workspace.vitis)
        found = find_vitis(os.path.exists, settings, os.environ)
    except StbuildError as error:
        yield Finding(name="vitis", ok=False, text=str(error))
        return
    if found is None:
        yield Finding(
            name="vitis", ok=None, text="no v++: `--target hw` and `hw_emu` need it, `sw_emu` does not"
        )
        return
    yield Finding(name="vitis", ok=True, text=f"{found.version} in {found.root}, named by {found.named_by}")
    index = PluginIndex(workspace.root, Tracker())
    for name in index.names("platforms"):
        try:
            card = index.platform(name)
        except StbuildError:
            continue  # `_plugins` tells it.
        refused = refused_version(found, card, os.path.exists)
        folder = find_platform(card, found, os.path.exists, settings, os.environ)
        text = str(
            refused or (f"{card.vitis_platform} in {folder}" if folder else "its platform is not installed")
        )
        yield Finding(name=name, ok=True if folder and not refused else None, text=text)


def _cache(folder: Path) -> Finding:
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    free_gb = shutil.disk_usage(existing).free / 1e9
    ok = os.access(existing, os.W_OK)
    return Finding(
        name="cache", ok=ok, text=f"{folder}, {free_gb:.0f} GB free" + ("" if ok else ", not writable")
    )


def _plugins(workspace: Workspace) -> Iterator[Finding]:
    try:
        index = PluginIndex(workspace.root, Tracker())
    except StbuildError as error:
        yield Finding(name="plugins", ok=False, text=str(error))
        return
    for clash in index.clashes:
        yield Finding(name="plugins", ok=False, text=str(clash.error()))
    load = {
        "rules": lambda name: index.rule(name, ""),
        "platforms": index.platform,
        "targets": index.toolchain,
    }
    for kind in layout.PLUGIN_KINDS:
        good = []
        for name in index.names(kind):
            try:
                load[kind](name)
                good.append(name)
            except StbuildError as error:
                yield Finding(name=kind, ok=False, text=str(error))
        yield Finding(name=kind, ok=True, text=", ".join(good))
