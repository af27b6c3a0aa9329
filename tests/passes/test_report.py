"""The report says what the design has, the deepest FIFOs first."""

from dataclasses import replace

from stbuild.ir.design import StreamKind
from stbuild.passes.report import design_report
from tests.accelerator import platform
from tests.passes.designs import design_of
from tests.reference.small import Variant

DESIGN = design_of(Variant())


def test_it_names_what_the_design_has() -> None:
    text = design_report(DESIGN, platform("u55c"))
    assert text.startswith("small on ")
    assert "  weight channels  4 in matmul units of 2 and 2 lanes\n" in text
    for name in (*(op.name for op in DESIGN.matmuls), *(kernel.name for kernel in DESIGN.kernels)):
        assert f" {name} " in text, name
    assert "weights, 4 channels: " in text and "  logits " in text


def test_a_clock_that_no_twin_holds_is_told() -> None:
    usual = replace(DESIGN, sizes=replace(DESIGN.sizes, clock_mhz=250))
    faster = replace(DESIGN, sizes=replace(DESIGN.sizes, clock_mhz=251))
    assert "  clock            250 MHz (target)\n" in design_report(usual, platform("u55c"))
    text = design_report(faster, platform("u55c"))
    assert "251 MHz (target; loops are made for 250 MHz, and nothing shows that they reach it)" in text


def test_the_deepest_streams_come_first_and_commands_not_at_all() -> None:
    streams = [s for s in DESIGN.streams if s.kind is not StreamKind.COMMAND]
    deep = replace(streams[-1], depth=max(s.depth for s in streams) + 1)
    design = replace(DESIGN, streams=tuple(deep if s.name == deep.name else s for s in DESIGN.streams))
    lines = design_report(design, platform("u55c")).splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("streams: ")) + 1
    assert lines[first].split() == [deep.name, str(deep.depth), deep.source, "->", deep.sink]
    depths = [int(line.split()[1]) for line in lines[first : first + 12]]
    assert depths == sorted(depths, reverse=True)
    commands = {s.name for s in design.streams if s.kind is StreamKind.COMMAND}
    assert commands.isdisjoint(line.split()[0] for line in lines[first : first + 12])


def test_a_seat_is_told_where_the_unit_has_one() -> None:
    homeless = tuple(replace(k, slrs=(None,) * len(k.units)) for k in DESIGN.kernels)
    assert " in SLR" in design_report(DESIGN, platform("u55c"))
    assert " in SLR" not in design_report(replace(DESIGN, kernels=homeless), platform("u55c"))
