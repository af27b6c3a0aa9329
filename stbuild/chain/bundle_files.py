"""Makes the files of a bundle: its manifest, and the xclbin around an emulated image."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from stbuild.codegen.control import SCALARS, pointers
from stbuild.codegen.identifiers import with_identifiers
from stbuild.ir.design import Design, KernelRole
from stbuild.ir.weights import WeightIndex
from stbuild.pack.files import SUFFIX
from stbuild.package import xclbin
from stbuild.package.axlf import Mode
from stbuild.package.bundle import (
    FORMAT,
    WEIGHTS,
    Argument,
    BufferArgument,
    Manifest,
    Model,
    Provenance,
    ScalarArgument,
)  # fmt: skip
from stbuild.platform import Memory, MemoryType, Platform
from stbuild.runtime.devices.cpu import cpu_flags
from stbuild.runtime.tokenizer import stop_tokens

SCALAR_BYTES = 4


def manifest_of(
    design: Design, index: WeightIndex, platform: Platform, *, target: str, system: str, cpu: str,
    clock_mhz: float, memory: Path, tokenizer: Path,
) -> Manifest:  # fmt: skip
    """The manifest of a bundle; `memory` and `tokenizer` are the folders of its files."""
    return Manifest(
        format=FORMAT,
        name=design.name,
        platform=platform.name,
        target=target,
        xclbin=f"{design.name}.xclbin",
        model=_model(design, index, tokenizer, system),
        arguments=tuple(_arguments(design, memory)),
        cpu_flags=cpu_flags(cpu),
        clock_mhz=clock_mhz,
    )


def emulated_xclbin(design: Design, platform: Platform, image: bytes) -> xclbin.Xclbin:
    """An xclbin around a kernel image."""
    return xclbin.Xclbin(
        name=design.name,
        platform=platform.vitis_platform,
        shell=platform.shell,
        mode=Mode.SW_EMU,
        clock_mhz=design.sizes.clock_mhz,
        memories=tuple(_banks(design, platform.memory)),
        kernels=tuple(_kernels(design)),
        image=image,
    )


def _model(design: Design, index: WeightIndex, tokenizer: Path, system: str) -> Model:
    return Model(
        vocab_size=design.vocab_size,
        context=design.sizes.context,
        chunk=design.sizes.chunk,
        weights=Provenance.SYNTHETIC if index.synthetic else Provenance.REAL,
        weights_source=index.source,
        stop_tokens=stop_tokens(tokenizer),
        system=system,
    )


def _arguments(design: Design, weights: Path) -> Iterator[Argument]:
    """The buffers and scalars of a launch in order; `control` has two pointers to some of the buffers."""
    counts = Counter(pointer.region.name for pointer in pointers(design))
    for region in design.regions:
        file = f"{region.name}{SUFFIX}"
        yield BufferArgument(
            buffer=region.name,
            bytes=region.bytes,
            file=f"{WEIGHTS}/{file}" if (weights / file).is_file() else None,
            writable=region.writable,
            first_bank=region.first,
            last_bank=region.last,
            pointers=counts[region.name],
        )
    for scalar in SCALARS:
        yield ScalarArgument(scalar=scalar, bytes=SCALAR_BYTES)


def _banks(design: Design, memory: Memory) -> Iterator[xclbin.MemoryBank]:
    used = {b for r in design.regions for b in range(r.first, r.last + 1)}
    kind = xclbin.MemType.HBM if memory.type is MemoryType.HBM else xclbin.MemType.DDR4
    size = memory.total_bytes // len(memory.tags)
    for bank, tag in enumerate(memory.tags):
        address = memory.base_address + bank * size
        yield xclbin.MemoryBank(tag=tag, type=kind, bytes=size, base_address=address, used=bank in used)


def _kernels(design: Design) -> Iterator[xclbin.KernelIp]:
    named = with_identifiers(design)
    for kernel in named.kernels:
        hosted = kernel.role is KernelRole.CONTROL
        arguments = tuple(_kernel_arguments(named)) if hosted else ()
        yield xclbin.KernelIp(name=kernel.name, units=kernel.units, arguments=arguments)


def _kernel_arguments(design: Design) -> Iterator[xclbin.KernelArgument]:
    for pointer in pointers(design):
        region = pointer.region
        banks = tuple(range(region.first, region.last + 1))
        yield xclbin.KernelArgument(name=pointer.name, bytes=8, banks=banks, port=pointer.port)
    for scalar in SCALARS:
        yield xclbin.KernelArgument(name=scalar, bytes=SCALAR_BYTES)
