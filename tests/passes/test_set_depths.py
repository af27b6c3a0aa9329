"""Depths that a project sets by hand: kept where nothing hangs, refused by name where something does."""

import pytest

from stbuild.errors import StbuildError
from stbuild.ir.design import Design
from stbuild.ops.add import Add
from stbuild.ops.fork import Fork
from stbuild.passes.judge_fit import judge_fit
from stbuild.passes.pipeline import plan
from stbuild.passes.sizes import SizeOverrides
from tests.accelerator import platform
from tests.passes.designs import design_of, graph_of, index_of
from tests.reference.small import Variant

GRAPH = graph_of(Variant())
USUAL = design_of(Variant())


def planned(depths: dict[str, int], clock_mhz: int = 0) -> Design:
    """The small design with these depths."""
    sizes = SizeOverrides(channels=4, lanes=2, chunk=4, clock_mhz=clock_mhz)
    return plan(GRAPH, index_of(GRAPH), platform("u55c"), sizes, depths)


def residual() -> str:
    """What a fork keeps for an addition, while its other copy goes through the engine."""
    op = {p.name: p.op for p in USUAL.processes}
    return next(
        s.name for s in USUAL.streams if isinstance(op[s.source], Fork) and isinstance(op[s.sink], Add)
    )


def test_a_deeper_fifo_is_as_deep_as_it_is_set() -> None:
    deeper = planned({residual(): 999})
    assert deeper.stream(residual()).depth == 999
    others = [(s.name, s.depth) for s in deeper.streams if s.name != residual()]
    assert others == [(s.name, s.depth) for s in USUAL.streams if s.name != residual()]


def test_a_depth_that_hangs_is_named_with_the_cycle() -> None:
    with pytest.raises(StbuildError) as refused:
        planned({residual(): 1})
    assert refused.value.exit_code == 2
    assert refused.value.message.startswith(
        f"depths: with 1 word in {residual()} small hangs in a launch of 4 tokens from position 0; "
        "give it more words, or leave it to the compiler: "
    )
    assert f"waits to write {residual()} (depth 1, fill 1, full)" in refused.value.message


@pytest.mark.parametrize("words", [10**6, 10**12])
def test_a_fifo_that_no_card_holds_is_told_with_its_stream(words: int) -> None:
    with pytest.raises(StbuildError, match=rf"^depths: {residual()} with {words} words holds ") as refused:
        planned({residual(): words})
    assert refused.value.hint == "give it fewer words, or leave it to the compiler"


def test_a_fifo_that_is_too_deep_for_its_slr_is_what_the_refusal_names() -> None:
    depths = {residual(): 300_000}
    with pytest.raises(StbuildError, match=r"small would not fit the card: ") as refused:
        judge_fit(GRAPH, index_of(GRAPH), platform("u55c"), planned(depths), depths)
    told = f"depths: {residual()} has 300000 words by hand; without depths, channels: 4, lanes: 2, "
    assert str(refused.value.hint).startswith(told)


def test_a_depth_of_zero_is_refused_with_what_the_compiler_takes() -> None:
    with pytest.raises(StbuildError, match=rf"depths: {residual()} takes 1 word or more, got 0") as refused:
        planned({residual(): 0})
    assert refused.value.hint == f"without it the compiler takes {USUAL.stream(residual()).depth}"


def test_a_stream_that_is_not_there_is_told_with_the_nearest() -> None:
    with pytest.raises(StbuildError, match=r"depths: small has no stream") as refused:
        planned({residual() + "x": 64})
    assert refused.value.hint == f"did you mean {residual()!r}?"


@pytest.mark.parametrize("clock", [-1, 501])
def test_a_clock_that_kernels_cannot_have_is_refused(clock: int) -> None:
    with pytest.raises(StbuildError, match=rf"clock_mhz takes 1 to 500 on u55c, .* got {clock}"):
        planned({}, clock)


def test_a_clock_is_that_of_the_design() -> None:
    assert planned({}, 200).sizes.clock_mhz == 200
