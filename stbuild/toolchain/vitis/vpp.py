"""The argv of v++ and its companions, in the forms of 2022.1 to 2023.1 and of 2023.2 and later.

Sources: AMD UG1393 and UG1702; docs/vitis.md says which of it no public log confirms.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

FIRST_WITH_MODES = "2023.2"


class Form(Enum):
    """How a kernel is compiled: as a kernel of v++, or in its mode for HLS with a configuration file."""

    KERNEL = "kernel"
    MODE = "mode"


@dataclass(frozen=True, kw_only=True)
class Folders:
    """Where v++ puts what it makes on its way."""

    temp: str
    logs: str
    reports: str

    @property
    def argv(self) -> tuple[str, ...]:
        """The options for them."""
        return ("--temp_dir", self.temp, "--log_dir", self.logs, "--report_dir", self.reports)


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """A kernel to compile: the function `name` in `source`, with headers in `includes`."""

    name: str
    source: str
    includes: tuple[str, ...]
    clock_hz: int


def form_of(version: str) -> Form:
    """The form that a version of Vitis is made for."""
    return Form.MODE if version >= FIRST_WITH_MODES else Form.KERNEL


def compile_argv(kernel: Kernel, target: str, platform: str, folders: Folders, out: str) -> tuple[str, ...]:
    """`v++ --compile` of a kernel, in the form of 2022.1 to 2023.1."""
    includes = tuple(f"-I{folder}" for folder in kernel.includes)
    return (
        *("v++", "--compile", "--target", target, "--platform", platform, "--kernel", kernel.name),
        *("--hls.clock", f"{kernel.clock_hz}:{kernel.name}", "--save-temps"),
        *(*folders.argv, *includes, "--output", out, kernel.source),
    )


def hls_argv(kernel: Kernel, platform: str, config: str, work: str) -> tuple[str, ...]:
    """`v++ --compile --mode hls`; all but platform and clock stands in the file `config`."""
    return (
        *("v++", "--compile", "--mode", "hls", "--platform", platform),
        *("--freqhz", str(kernel.clock_hz), "--config", config, "--work_dir", work),
    )


def hls_config(kernel: Kernel, out: str) -> str:
    """The configuration of `hls_argv`."""
    flags = " ".join(f"-I{folder}" for folder in kernel.includes)
    return (
        "[hls]\nflow_target=vitis\n"
        f"syn.file={kernel.source}\nsyn.file_cflags={kernel.source},{flags}\nsyn.top={kernel.name}\n"
        f"package.output.format=xo\npackage.output.file={out}\n"
    )


def link_argv(
    target: str, platform: str, config: str, threads: int, folders: Folders, out: str, objects: Sequence[str]
) -> tuple[str, ...]:
    """`v++ --link`: connections and clock stand in the file `config`."""
    return (
        *("v++", "--link", "--target", target, "--platform", platform, "--config", config),
        *("--vivado.param", f"general.maxThreads={threads}", "--report_level", "2", "--save-temps"),
        *(*folders.argv, "--output", out, *objects),
    )


def package_argv(target: str, platform: str, linked: str, folders: Folders, out: str) -> tuple[str, ...]:
    """`v++ --package`, the last step on Versal: VCK5000 boots from OSPI."""
    return (
        *("v++", "--package", "--target", target, "--platform", platform, linked),
        *("--package.boot_mode=ospi", f"--package.out_dir={folders.temp}/package"),
        *(*folders.argv, "--output", out),
    )


def emconfig_argv(platform: str, folder: str) -> tuple[str, ...]:
    """`emconfigutil`, which describes one emulated card to XRT in `folder`/emconfig.json."""
    return ("emconfigutil", "--platform", platform, "--nd", "1", "--od", folder)
