"""A name for several files."""

from dataclasses import dataclass

from stbuild.api import Context, File, FilesInfo, rule


@dataclass(frozen=True, kw_only=True)
class Filegroup:
    """`srcs` are sources, labels or `{glob: […]}`."""

    srcs: tuple[File, ...] = ()


@rule
def filegroup(ctx: Context[Filegroup]) -> FilesInfo:
    """Hand on the files of `srcs`."""
    return FilesInfo(files=ctx.attrs.srcs)
