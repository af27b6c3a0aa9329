"""The kernel that the host starts, as an .xclbin's EMBEDDED_METADATA has it."""

from dataclasses import dataclass
from xml.etree import ElementTree

from stbuild.errors import StbuildError


@dataclass(frozen=True, kw_only=True)
class HostKernel:
    """The kernel that the host starts, as EMBEDDED_METADATA has it."""

    name: str
    arguments: tuple[str, ...]


def host_kernel(data: bytes, where: str) -> HostKernel:
    """The one kernel with arguments of an EMBEDDED_METADATA section."""
    try:
        kernels = list(ElementTree.fromstring(data).iter("kernel"))
    except ElementTree.ParseError as error:
        raise StbuildError(f"the xclbin's metadata is no XML: {error}", where=where) from error
    started = [kernel for kernel in kernels if kernel.find("arg") is not None]
    if len(started) != 1:
        raise StbuildError(f"the xclbin has {len(started)} kernels with arguments, not one", where=where)
    arguments = tuple(argument.get("name", "") for argument in started[0].iter("arg"))
    return HostKernel(name=started[0].get("name", ""), arguments=arguments)
