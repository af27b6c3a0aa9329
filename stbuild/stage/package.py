"""Makes the bundle of a design: xclbin, weights, manifest, tokenizer."""

import json
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from stbuild.codegen.control import SCALARS, pointers
from stbuild.codegen.identifiers import with_identifiers
from stbuild.ir import serde
from stbuild.ir.design import Design, KernelRole
from stbuild.ir.weights import WeightIndex
from stbuild.ops.files import read_design
from stbuild.pack.files import SUFFIX
from stbuild.package import schema, xclbin
from stbuild.package.axlf import Mode
from stbuild.package.bundle import (
    FORMAT,
    TEXT_FILES,
    WEIGHTS,
    Argument,
    BufferArgument,
    Manifest,
    Model,
    Provenance,
    ScalarArgument,
    write_bundle,
)  # fmt: skip
from stbuild.package.link_report import LinkReport
from stbuild.platform import Memory, MemoryType, Platform
from stbuild.runtime.devices.cpu import cpu_flags
from stbuild.runtime.tokenizer import stop_tokens
from stbuild.stage.entry import run_stage, stage_parser

SCALAR_BYTES = 4


def main(args: Namespace) -> None:
    """Write the bundle; weights are linked, never copied."""
    design = read_design(Path(args.design))
    params = json.loads(Path(args.params).read_text())
    platform = serde.from_data(Platform, params["platform"])
    weights, tokenizer = Path(args.memory), Path(args.tokenizer)
    linked = schema.read(LinkReport, Path(args.link_report)) if args.link_report else None
    clock_mhz = linked.clock_mhz if linked else float(design.sizes.clock_mhz)
    if args.xclbin:
        kernels = Path(args.xclbin).read_bytes()
    else:
        kernels = xclbin.encode(_xclbin(design, platform, Path(args.image).read_bytes()))
    manifest = Manifest(
        format=FORMAT,
        name=design.name,
        platform=platform.name,
        target=params["target"],
        xclbin=f"{design.name}.xclbin",
        model=_model(design, serde.read(WeightIndex, Path(args.index)), tokenizer, params["system"]),
        arguments=tuple(_arguments(design, weights)),
        cpu_flags=cpu_flags(params["cpu"]),
        clock_mhz=clock_mhz,
    )
    texts = tuple(tokenizer / t for t in TEXT_FILES if (tokenizer / t).is_file())
    beside = tuple(map(Path, args.beside))
    write_bundle(Path(args.bundle), manifest, xclbin=kernels, weights=weights, texts=(*texts, *beside))


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


def _xclbin(design: Design, platform: Platform, image: bytes) -> xclbin.Xclbin:
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
        yield xclbin.KernelArgument(name=pointer.name, bytes=8, banks=banks, port=region.port)
    for scalar in SCALARS:
        yield xclbin.KernelArgument(name=scalar, bytes=SCALAR_BYTES)


if __name__ == "__main__":
    parser = stage_parser(
        "Make a bundle.",
        design="the design",
        index="the index of the weights",
        params="platform and target",
        memory="folder of memory images",
        tokenizer="folder of tokenizer files",
        bundle="folder to make",
    )
    made = parser.add_mutually_exclusive_group(required=True)
    made.add_argument("--image", help="the kernel image, which an xclbin is made around")
    made.add_argument("--xclbin", help="a linker's xclbin, which is taken as it is")
    parser.add_argument("--link-report", help="what the linker achieved")
    parser.add_argument("--beside", action="append", default=[], help="another file of the bundle")
    run_stage(parser, main)
