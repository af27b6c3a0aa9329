"""The processors that the image of an emulated card may be made for, and what they must be able to do."""

from collections.abc import Mapping

from stbuild.errors import StbuildError, did_you_mean

BASELINES: Mapping[str, tuple[str, ...]] = {
    "x86-64-v2": ("cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"),
    "x86-64-v3": (
        *("cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"),
        *("abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "xsave"),
    ),
    "x86-64-v4": (
        *("cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"),
        *("abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "xsave"),
        *("avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"),
    ),
}
"""The levels of the x86-64 psABI as `g++ -march=` has them, and their flags as /proc/cpuinfo spells them."""


def check_baseline(cpu: str) -> str:
    """`cpu`, if it is one of the baselines."""
    if cpu not in BASELINES:
        raise StbuildError(f"--cpu {cpu} is not known", hint=did_you_mean(cpu, ("native", *BASELINES)))
    return cpu
