"""What a design takes of the card, as a table."""

from dataclasses import dataclass

from stbuild.api import Context, FilesInfo, rule
from stbuild.providers import PartitionInfo


@dataclass(frozen=True, kw_only=True)
class ResourceTable:
    """`partition` has judged the design."""

    partition: PartitionInfo


@rule
def resource_table(ctx: Context[ResourceTable]) -> FilesInfo:
    """Running the target prints LUT, FF, DSP, BRAM and URAM by SLR, unit and process, and the judgement."""
    partition = ctx.attrs.partition
    ctx.runnable(("cat", partition.area))
    return FilesInfo(files=(partition.resources, partition.area))
