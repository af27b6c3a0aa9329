"""A shell command that makes files."""

from dataclasses import dataclass
from typing import Literal

from stbuild.api import Context, File, FilesInfo, Policy, Resources, rule


@dataclass(frozen=True, kw_only=True)
class Genrule:
    """`cmd` is a bash text in which `$(SRCS)`, `$(OUTS)`, `$<`, `$@`, `$(@D)` and `$(location x)` are paths.

    It ends at the first command that fails (`set -euo pipefail`).

    `outs` lie in the package's folder. `tools` are files that the command runs, `programs` those on PATH
    whose version counts. A literal `$` is `$$`. `shell: sh` starts faster; there the last command of a
    pipeline alone decides whether it fails.
    """

    outs: tuple[str, ...]
    cmd: str
    shell: Literal["bash", "sh"] = "bash"
    srcs: tuple[File, ...] = ()
    tools: tuple[File, ...] = ()
    programs: tuple[str, ...] = ()
    env: dict[str, str] | None = None
    cpu: float = 1
    memory_mb: int = 0
    resources: dict[str, int] | None = None
    timeout_s: float | None = None
    retries: int = 0
    network: bool = False


@rule
def genrule(ctx: Context[Genrule]) -> FilesInfo:
    """Run `cmd`, which makes every file of `outs`."""
    attrs = ctx.attrs
    if not attrs.outs:
        ctx.fail("a genrule needs at least one name in `outs`", attribute="outs")
    outs = tuple(ctx.package_output(name) for name in attrs.outs)
    command = ctx.shell(
        attrs.cmd, srcs=attrs.srcs, outs=outs, tools=attrs.tools, shell=attrs.shell, attribute="cmd"
    )
    named = tuple(sorted((attrs.resources or {}).items()))
    ctx.run(
        "Genrule",
        command,
        inputs=(*attrs.srcs, *attrs.tools),
        outputs=outs,
        env=attrs.env,
        tools=attrs.programs,
        policy=Policy(
            resources=Resources(cpu=attrs.cpu, memory_mb=attrs.memory_mb, named=named),
            timeout_s=attrs.timeout_s,
            retries=attrs.retries,
            network=attrs.network,
        ),
    )
    return FilesInfo(files=outs)
