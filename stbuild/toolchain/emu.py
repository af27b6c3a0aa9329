"""The argv of g++, which compiles and links the same C++ that v++ would."""

from collections.abc import Sequence
from typing import TypeVar

from stbuild import layout
from stbuild.package.cpu import check_baseline

A = TypeVar("A")
COMPILER = "g++"
FLAGS = (
    "-std=c++17",
    "-O3",
    "-fPIC",
    "-Wall",
    "-Wextra",
    "-Wno-unknown-pragmas",
    "-Wno-unused-label",
)
PREFIX_MAP = "-ffile-prefix-map=in=."
"""Keeps the action's own folder out of the object, so that the same source gives the same bytes."""
SIM_SOURCES = ("abi", "fiber", "report", "runtime", "scheduler", "strict")


def compile_argv(
    source: A, out: A, include: A, defines: Sequence[str] = (), cpu: str = layout.NATIVE_CPU
) -> tuple[str | A | tuple[str | A, ...], ...]:
    """Compile one C++ file against hls_lib for a processor: this host's, or a baseline."""
    machine = f"-march={cpu if cpu == layout.NATIVE_CPU else check_baseline(cpu)}"
    macros = tuple(f"-D{define}" for define in defines)
    return (COMPILER, *FLAGS, machine, PREFIX_MAP, *macros, "-I", include, "-c", source, "-o", out)


def link_argv(objects: A, runtime: Sequence[A], image: A) -> tuple[str | A | tuple[str | A, ...], ...]:
    """Join the objects of the folder `objects` and of the runtime to a kernel image."""
    script = (
        'image=$1; objects=$2; shift 2; exec g++ -shared -Wl,--build-id=none "$@" "$objects"/*.o -o "$image"'
    )
    return ("/bin/sh", "-c", script, "link", image, objects, *runtime)
