"""stbuild takes a PyTorch LLM to a running FPGA accelerator with one incremental command."""

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from stbuild.errors import StbuildError
    from stbuild.library.compile import compile_model
    from stbuild.library.progress import Progress
    from stbuild.runtime.accelerator import Accelerator, Report
    from stbuild.runtime.sampling import Sampling

__all__ = ["Accelerator", "Progress", "Report", "Sampling", "StbuildError", "compile_model"]
_HOMES = {
    "Accelerator": "stbuild.runtime.accelerator",
    "Progress": "stbuild.library.progress",
    "Report": "stbuild.runtime.accelerator",
    "Sampling": "stbuild.runtime.sampling",
    "StbuildError": "stbuild.errors",
    "compile_model": "stbuild.library.compile",
}
"""Where the names of the library live; each is imported when it is first used, and torch later still."""


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'stbuild' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted((*globals(), *__all__))
