"""What `--target` chooses: the toolchain that makes an image of kernels, as a value."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stbuild.errors import StbuildError

if TYPE_CHECKING:
    from stbuild.api import Context
    from stbuild.engine.graph.artifact import File
    from stbuild.providers import HlsInfo, KernelsInfo, LinkInfo

    Compile = Callable[[Context[Any], HlsInfo, tuple[str, ...]], KernelsInfo]
    Program = Callable[[Context[Any]], File]
    Link = Callable[[Context[Any], KernelsInfo, tuple[str, ...]], LinkInfo]


@dataclass(frozen=True, kw_only=True)
class Toolchain:
    """A way from C++ to an image; the file targets/NAME.py defines that of `--target NAME`.

    `compile` and `link` declare their steps on the context of the rule that calls them: what those need
    (memory, time, licences), the identity of their tools, and the actions that read and judge the reports.
    They refuse, by `ctx.fail`, a machine on which the tools are missing or do not fit the platform. The
    macros of C++ that both take are those of the emulator, such as `STB_TIMED=1`.
    `device` is what an image runs on: `native`, in the process that opens it, or `xrt`, through the Xilinx
    Runtime. `on_card` tells whether the image is for hardware, of which there is a timing report, and which
    is asked each time; the answers of others are cached. `device_model` compiles the program that serves XRT
    where the image is emulated.
    """

    name: str
    compile: "Compile"
    link: "Link"
    on_card: bool = False
    device: str = "native"
    device_model: "Program | None" = None

    def __post_init__(self) -> None:
        if self.device not in ("native", "xrt"):
            raise ValueError(f"device takes native or xrt, got {self.device!r}")


def check_toolchain(value: Any, name: str) -> Toolchain:
    """`value`, which the file `name`.py of a targets folder defines, or a sentence on what it should be."""
    if not isinstance(value, Toolchain):
        raise StbuildError(
            f"target {name!r} is a {type(value).__name__}, not a Toolchain",
            hint=f"targets/{name}.py defines {name.upper()} = Toolchain(...)",
        )
    if value.name != name:
        raise StbuildError(
            f"targets/{name}.py defines a toolchain named {value.name!r}", hint="use the file's name"
        )
    return value
