"""Units lie where the fewest wires cross SLRs within the limits, the same on every machine."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import product

import pytest

from stbuild.errors import StbuildError
from stbuild.ir.design import Design, KernelRole
from stbuild.ir.engine import Engine
from stbuild.passes.pipeline import plan_engines
from stbuild.passes.place_kernels import PlaceKernels
from stbuild.passes.sizes import SizeOverrides
from stbuild.platform import Limits, Platform, Source
from stbuild.resources.fit import fit_of
from stbuild.resources.usage import usage_of
from stbuild.resources.wires import crossings
from tests.accelerator import platform
from tests.passes.designs import design_of, finished, graph_of, index_of, network_of, without_names
from tests.passes.test_engines import BODY, HEAD
from tests.reference.small import Variant

FULL = Variant(scaled=True, positions=True, head_norm=True)
U55C = platform("u55c")


@cache
def small() -> Design:
    """A small design with one token lane."""
    sizes = SizeOverrides(channels=4, lanes=2, chunk=4, token_lanes=1)
    return finished(network_of(graph_of(FULL), overrides=sizes))


def tight() -> Platform:
    """A U55C whose SLRs together have a third more room than the small design takes: one has too little."""
    luts = sum(row.cost.lut for row in usage_of(small(), U55C))
    return card(1.33 * luts / U55C.available.lut)


def card(share: float) -> Platform:
    """A U55C of which a plan may fill `share`, of its DSPs at least the usual."""
    source = Source(of=("share", "dsp_share"), text="a test")
    return replace(U55C, limits=Limits(share=share, dsp_share=max(share, 0.88), sources=(source,)))


def seats(design: Design) -> list[tuple[int | None, ...]]:
    return [kernel.slrs for kernel in design.kernels]


def placements(design: Design) -> Iterator[Design]:
    """Every way to put the units of a design into three SLRs."""
    counts = [len(kernel.units) for kernel in design.kernels]
    for slrs in product(range(3), repeat=sum(counts)):
        left = iter(slrs)
        yield replace(
            design,
            kernels=tuple(
                replace(kernel, slrs=tuple(next(left) for _ in range(count)))
                for kernel, count in zip(design.kernels, counts, strict=True)
            ),
        )


def wires(design: Design) -> int:
    return sum(crossings(design, U55C.memory.slr_of(0), 3))


def test_what_fits_one_slr_lies_beside_the_memory() -> None:
    design = PlaceKernels(platform=card(3.0))(small())
    assert {slr for slrs in seats(design) for slr in slrs} == {U55C.memory.slr_of(0)}


def test_no_placement_within_the_limits_has_fewer_wires() -> None:
    narrow = tight()
    design = PlaceKernels(platform=narrow)(small())
    rows = usage_of(design, narrow)
    assert fit_of(design, narrow, rows).fits
    assert len({slr for slrs in seats(design) for slr in slrs}) > 1
    fewest = min(wires(each) for each in placements(design) if fit_of(each, narrow, rows).fits)
    assert wires(design) == fewest


def test_the_same_design_lies_the_same_under_any_names() -> None:
    place = PlaceKernels(platform=tight())
    assert seats(place(small())) == seats(place(small())) == seats(place(without_names(small())))


def test_what_fits_nowhere_is_spread_so_that_little_is_too_much() -> None:
    narrow = card(0.01)
    design = PlaceKernels(platform=narrow)(small())
    over = fit_of(design, narrow, usage_of(design, narrow)).passed
    assert {use.place for use in over if use.resource == "LUT"} == {"SLR0", "SLR1", "SLR2"}


def test_token_lanes_are_in_luts_where_dsps_are_too_few() -> None:
    """As many as are needed: with one less, a limit is passed."""
    full = platform("vck5000")
    source = Source(of=("share", "dsp_share"), text="a test")
    limits = Limits(share=1.0, dsp_share=0.9 * dsps(small(), full) / full.available.dsp, sources=(source,))
    few = replace(full, limits=limits)
    (engine,) = (design := PlaceKernels(platform=few)(small())).engines
    assert fit_of(design, few, usage_of(design, few)).fits
    assert set(engine.fabric) == {engine.fabric[0]}
    assert 0 < engine.fabric[0] <= engine.lanes[0]
    less = replace(design, engines=(replace(engine, fabric=tuple(n - 1 for n in engine.fabric)),))
    assert not fit_of(less, few, usage_of(less, few)).fits
    assert dsps(design, few) < dsps(less, few)


def test_no_token_lane_is_in_luts_without_need() -> None:
    assert [engine.fabric for engine in PlaceKernels(platform=card(3.0))(small()).engines] == [()]


def test_token_lanes_in_luts_are_spread_over_a_unit() -> None:
    engine = Engine(lanes=(3, 2), token_lanes=3, chunk=3, batch=3, fabric=(4, 0))
    assert engine.fabric_lanes(0) == (2, 1, 1)
    assert engine.fabric_lanes(1) == (0, 0)


def dsps(design: Design, card: Platform) -> int:
    return sum(row.cost.dsp for row in usage_of(design, card))


def test_units_of_several_engines_have_their_slrs() -> None:
    graph = graph_of(Variant())
    design = plan_engines(graph, index_of(graph), U55C, (BODY, HEAD))
    units = [k for k in design.kernels if k.role is KernelRole.MATMUL]
    assert all(slr is not None for kernel in units for slr in kernel.slrs)


def test_a_card_of_one_die_has_no_seats() -> None:
    design = design_of(FULL, "vck5000")
    assert {slr for slrs in seats(design) for slr in slrs} == {None}


def test_of_many_units_that_are_alike_one_order_is_looked_at() -> None:
    """A unit for each of 24 lanes: without the order a search took minutes."""
    sizes = SizeOverrides(channels=24, lanes=1, chunk=4, token_lanes=1)
    design = finished(network_of(graph_of(FULL), overrides=sizes))
    (units,) = [kernel.slrs for kernel in design.kernels if kernel.role is KernelRole.MATMUL]
    assert len(units) == 24
    assert list(units) == sorted(slr for slr in units if slr is not None)


def test_a_solver_that_stops_by_anything_but_its_own_count_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stbuild.passes.place_kernels.EFFORT", 0.0)
    with pytest.raises(StbuildError, match=r"the placement of .* ended with UNKNOWN"):
        PlaceKernels(platform=U55C)(small())
