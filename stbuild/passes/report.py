"""The report of a design: sizes, engine schedule, kernels, streams and memory."""

from collections.abc import Iterator

from stbuild.ir.derived import unpadded_shapes
from stbuild.ir.design import Design, KernelRole, RegionKind, StreamKind
from stbuild.ir.engine import Engine
from stbuild.limits import clock_text
from stbuild.platform import Platform
from stbuild.resources.fit import fit_of
from stbuild.resources.usage import usage_of

MIB = 2**20


def design_report(design: Design, platform: Platform) -> str:
    """The report that `partition` writes; the same design gives the same text."""
    sections = (
        _sizes(design, platform),
        _schedule(design),
        _kernels(design),
        _fit(design, platform),
        _streams(design),
        _memory(design),
    )
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def lanes_text(engine: Engine) -> str:
    """The lanes of each unit: `8, 10 and 10`."""
    return _listed(engine.lanes)


def fabric_text(engine: Engine) -> str:
    """The token lanes of each unit that multiply in LUTs: `0, 4 and 4`."""
    return _listed(engine.fabric)


def _listed(counts: tuple[int, ...]) -> str:
    *others, last = map(str, counts)
    return f"{', '.join(others)} and {last}" if others else last


def _sizes(design: Design, platform: Platform) -> Iterator[str]:
    sizes = design.sizes
    yield f"{design.name} on {platform.title} (a plan: nothing here has met Vitis or a card)"
    for engine in design.engines:
        yield f"  weight channels  {engine.channels} in matmul units of {lanes_text(engine)} lanes"
        yield f"  tokens           {engine.chunk} per launch at most, {_at_once(engine)}"
        if engine.fabric:
            yield f"  in LUTs          {fabric_text(engine)} token lanes of the units multiply in LUTs"
    yield f"  context          {sizes.context} positions"
    yield f"  clock            {clock_text(sizes.clock_mhz)}"


def _at_once(engine: Engine) -> str:
    return f"{engine.batch} share a word of weights, {engine.token_lanes} a cycle"


def _schedule(design: Design) -> Iterator[str]:
    yield "matmul engine, in order"
    unpadded = unpadded_shapes(design.derived)
    for op in design.matmuls:
        block = design.blocks[op.block]
        load = "loads" if op.load else "keeps"
        yield (
            f"  {block.name:10} x{block.count:<3} {op.name:16} {op.rows:>6} x {op.cols:<6} {op.bits} bits, "
            f"groups of {op.group:<3} {load} vector {op.source}, from channel {op.base}"
            f"{_in_the_model(unpadded.get(op.weight.names[0]))}"
        )


def _in_the_model(shape: tuple[int, ...] | None) -> str:
    return f"; {shape[0]} x {shape[1]} in the model" if shape else ""


def _kernels(design: Design) -> Iterator[str]:
    yield "kernels"
    for kernel in design.kernels:
        count = len(design.members(kernel.name))
        inside = "lanes" if kernel.role is KernelRole.MATMUL else f"{count} processes"
        seats = ", ".join(
            unit + ("" if slr is None else f" in SLR{slr}")
            for unit, slr in zip(kernel.units, kernel.slrs, strict=True)
        )
        yield f"  {kernel.name:20} {inside:14} {seats}"


def _fit(design: Design, platform: Platform) -> Iterator[str]:
    fit = fit_of(design, platform, usage_of(design, platform))
    yield f"area: {fit.sentence}; :resources has all of it"
    for place in dict.fromkeys(use.place for use in fit.uses):
        uses = [use for use in fit.uses if use.place == place]
        figures = (f"{use.resource} {use.used:,.0f} of {use.limit:,.0f}" for use in uses)
        yield f"  {place:8} {', '.join(figures)}"


def _streams(design: Design) -> Iterator[str]:
    words = [s for s in design.streams if s.kind is not StreamKind.COMMAND]
    deep = sorted(words, key=lambda s: (-s.depth, s.name))
    kib = sum(s.depth for s in deep) * 64 / 1024
    yield f"streams: {len(deep)} of 512 bits, {kib:.0f} KiB of FIFOs; the deepest"
    for stream in deep[:12]:
        yield f"  {stream.name:28} {stream.depth:>6}  {stream.source} -> {stream.sink}"


def _memory(design: Design) -> Iterator[str]:
    total = sum(r.bytes for r in design.regions)
    yield f"memory: {total / MIB:.1f} MiB"
    weights = [r for r in design.regions if r.kind is RegionKind.WEIGHTS]
    sizes = [r.bytes / MIB for r in weights]
    yield f"  weights, {len(weights)} channels: {min(sizes):.2f} to {max(sizes):.2f} MiB each"
    for region in design.regions:
        if region not in weights:
            banks = str(region.first) if region.first == region.last else f"{region.first}-{region.last}"
            yield f"  {region.name:24} {region.bytes / MIB:>9.2f} MiB  bank {banks}"
