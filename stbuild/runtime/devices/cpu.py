"""What the processor of this host can do, as far as a kernel image may have been compiled to use it."""

from pathlib import Path

from stbuild import layout
from stbuild.errors import StbuildError
from stbuild.package.cpu import BASELINES

CPUINFO = Path("/proc/cpuinfo")
VECTOR_FLAGS = (
    "avx2", "avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vbmi", "avx512vl", "avx512_bf16",
    "avx512_bitalg", "avx512_vbmi2", "avx512_vnni", "avx512_vpopcntdq", "avx_vnni", "bmi1", "bmi2", "f16c",
    "fma", "gfni", "sse4_2", "vpclmulqdq",
    "asimd", "asimddp", "i8mm", "sve", "sve2",
)  # fmt: skip
"""Flags, as /proc/cpuinfo spells them, for what `g++ -march=native` uses: x86-64, then aarch64."""


def cpu_flags(cpu: str = layout.NATIVE_CPU) -> tuple[str, ...]:
    """What an image for `cpu` needs: a baseline's flags, or those of `VECTOR_FLAGS` that this host has."""
    if cpu != layout.NATIVE_CPU:
        return BASELINES[cpu]
    known = _known_flags()
    return tuple(flag for flag in VECTOR_FLAGS if flag in known)


def check_cpu(flags: tuple[str, ...]) -> None:
    """Refuse an image that was built for a processor with `flags` that this host lacks."""
    known = _known_flags()
    missing = [flag for flag in flags if flag not in known]
    if known and missing:
        raise StbuildError(
            f"the kernel image was built for a processor with {', '.join(missing)}, which this machine lacks",
            hint="build it again on this machine",
            exit_code=1,
        )


def _known_flags() -> frozenset[str]:
    """All words of the first processor's flags; empty where the system does not tell."""
    if not CPUINFO.is_file():
        return frozenset()
    for line in CPUINFO.read_text().splitlines():
        name, _, words = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return frozenset(words.split())
    return frozenset()
