"""The build tools that are compared: how each gets its files and how it is called."""

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engine import graph
from benchmarks.engine.graph import Node

CHECKOUT = Path(__file__).resolve().parents[2]
STBUILD = (str(CHECKOUT / "stbuildw"), ":everything", "--plain")


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One competitor, called with as many jobs as ninja takes by itself.

    `clean` removes its outputs and keeps its cache; `stop` ends a server that it leaves behind.
    """

    name: str
    write: Callable[[Path, list[Node]], None]
    argv: tuple[str, ...]
    clean: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()


def tools(names: Sequence[str]) -> list[Tool]:
    """The tools of these names, or all, that this machine has."""
    found = [tool for tool in every() if shutil.which(tool.argv[0])]
    return [tool for tool in found if not names or tool.name in names]


def stbuild_of(checkout: Path, name: str, *flags: str) -> Tool:
    """The stbuild of a checkout, which may be an older one than this."""
    jobs = str((os.cpu_count() or 1) + 2)
    argv = (str(checkout.resolve() / "stbuildw"), *STBUILD[1:], "-j", jobs, *flags)
    return Tool(name=name, write=graph.write_stbuild, argv=argv, clean=(argv[0], "clean"))


def every() -> list[Tool]:
    """All tools that we know to compare with; ninja, the measure of the others, comes first."""
    jobs = str((os.cpu_count() or 1) + 2)
    doit = (sys.executable, "-m", "doit", "-n", jobs, "-P", "thread", "--backend", "sqlite3")
    return [
        Tool(name="ninja", write=graph.write_ninja, argv=("ninja", "-j", jobs)),
        Tool(name="make", write=graph.write_make, argv=("make", "-s", "-j", jobs)),
        Tool(name="doit", write=graph.write_doit, argv=(*doit, "--check_file_uptodate", "timestamp")),
        stbuild_of(CHECKOUT, "stbuild-off", "--sandbox=off"),
        stbuild_of(CHECKOUT, "stbuild"),
        Tool(
            name="bazel",
            write=graph.write_bazel,
            argv=("bazel", "build", "--jobs", jobs, "--disk_cache=../disk", "//:everything"),
            clean=("bazel", "clean"),
            stop=("bazel", "shutdown"),
        ),
        Tool(name="snakemake", write=graph.write_snakemake, argv=("snakemake", "--cores", jobs, "--quiet")),
    ]
