"""FIFOs that are too shallow are deepened as far as somebody needs it; what hangs anyway is refused."""

import re
from dataclasses import replace

import pytest

from stbuild.errors import StbuildError
from stbuild.ir.design import Design, Sizes, Stream, StreamKind
from stbuild.ir.program import Launch, Repeat, Words, Write, reads, words_of_program
from stbuild.network.network import Network
from stbuild.network.network import network_of as processes_of
from stbuild.network.runner import Runner
from stbuild.passes.deadlocks import ProveFifos, launches, without_hang
from stbuild.passes.pipeline import plan_engines
from stbuild.resources.fit import fit_of
from stbuild.resources.usage import usage_of
from tests.accelerator import platform
from tests.passes.designs import design_of, graph_of, index_of
from tests.passes.test_engines import BODY, HEAD
from tests.reference.small import Variant

PROVE = ProveFifos(platform=platform("u55c"))
FULL = Variant(scaled=True, positions=True, head_norm=True, center=True, bias=True)


def with_depths(design: Design, depth: int, *kinds: StreamKind) -> Design:
    """`design` with FIFOs of `depth` words for streams of `kinds`."""
    streams = tuple(replace(s, depth=depth) if s.kind in kinds else s for s in design.streams)
    return replace(design, streams=streams)


def deeper(before: Design, after: Design) -> list[Stream]:
    """The streams that got more words."""
    return [b for a, b in zip(before.streams, after.streams, strict=True) if b.depth > a.depth]


def test_a_design_that_does_not_hang_stays_as_it_is() -> None:
    design = design_of(FULL)
    assert PROVE(design) == design


def test_a_residual_that_cannot_wait_is_deepened_up_to_what_it_holds() -> None:
    design = design_of(FULL)
    shallow = with_depths(design, 2, StreamKind.DATA, StreamKind.LOOP)
    proven = PROVE(shallow)
    grown = deeper(shallow, proven)
    assert grown
    most = {s.name: design.sizes.chunk * s.words for s in design.streams}
    assert all(2 < s.depth <= most[s.name] for s in grown)
    assert PROVE(proven) == proven


def test_processes_that_wait_for_each_other_whatever_the_fifos_hold_are_named() -> None:
    design = design_of(Variant())
    (loop,) = (s for s in design.streams if s.kind is StreamKind.LOOP)
    head = design.process(loop.sink)
    swapped = tuple(replace(p, reads=p.reads[::-1]) if p.name == head.name else p for p in design.processes)
    with pytest.raises(StbuildError) as caught:
        PROVE(replace(design, processes=swapped))
    sentence, *cycle = caught.value.message.splitlines()
    assert sentence == (
        "small hangs in a launch of 4 tokens from position 0, and deeper FIFOs do not help: these processes"
        " wait for each other"
    )
    assert f"  {head.name} waits to read {loop.name} (depth {loop.depth}, fill 0, empty)" in cycle
    source = {s.name: s.source for s in design.streams}
    waits = [
        re.fullmatch(r"  ([\w.]+) waits to read ([\w.]+) \(depth \d+, fill 0, empty\)", line)
        for line in cycle
    ]
    for wait, following in zip(waits, (*waits[1:], waits[0]), strict=True):
        assert wait is not None and following is not None, cycle
        giver, _, _ = following[1].partition(".")  # a process of a compute unit has the unit's name in front
        assert source.get(wait[2], wait[2].partition(".")[0]) == giver, wait[0]


def test_a_full_fifo_that_is_none_of_the_design_s_is_not_deepened_but_named() -> None:
    """What lies within a compute unit is fixed by its C++."""
    early = Network(
        programs={
            "fork": (Repeat(10, (Write(("early", "late")),)),),
            "join": (reads("late", 10), reads("early", 10)),
        },
        depths={"early": 4, "late": 2},
        loops={},
    )
    launch = Launch(tokens=1, position=3, head=True)
    with pytest.raises(StbuildError, match="small hangs in a launch of 1 token from position 3, ") as caught:
        without_hang(design_of(Variant()), launch, Runner(early))
    assert caught.value.exit_code == 1
    assert caught.value.message.splitlines()[1:] == [
        "  fork waits to write early (depth 4, fill 4, full)",
        "  join waits to read late (depth 2, fill 0, empty)",
    ]


def test_fifos_beyond_the_card_are_not_run_and_do_not_fit() -> None:
    """Hangs are not looked for where a FIFO holds more than the card: the design is refused anyway."""
    card = platform("u55c")
    shallow = with_depths(design_of(FULL), 1, StreamKind.DATA)
    huge = with_depths(shallow, 10**7, StreamKind.LOOP)
    assert PROVE(shallow) != shallow
    assert PROVE(huge) == huge
    over = fit_of(huge, card, usage_of(huge, card)).passed
    assert ("u55c", "KiB of FIFOs") in {(use.place, use.resource) for use in over}


@pytest.mark.parametrize(("chunk", "context", "count"), [(4, 32, 8), (1, 1, 2), (8, 8, 6), (32, 40, 10)])
def test_the_launches_that_stand_for_all(chunk: int, context: int, count: int) -> None:
    design = replace(design_of(Variant()), sizes=Sizes(chunk=chunk, context=context, clock_mhz=250))
    found = list(launches(design))
    assert len(found) == len(set(found)) == count
    assert all(launch.position + launch.tokens <= context for launch in found)


@pytest.mark.parametrize("launch", [Launch(tokens=t, position=p, head=h) for t, p, h in
                                    ((1, 0, True), (4, 5, True), (3, 29, False))])  # fmt: skip
@pytest.mark.parametrize("engines", [1, 2])
def test_as_many_words_are_written_to_each_stream_as_are_read(launch: Launch, engines: int) -> None:
    graph = graph_of(FULL)
    two = (BODY, HEAD)
    design = plan_engines(graph, index_of(graph), PROVE.platform, two) if engines == 2 else design_of(FULL)
    programs = processes_of(design, launch).programs.values()
    found: list[Words] = [words_of_program(program) for program in programs]
    for stream in design.streams:
        written = sum(words.written.get(stream.name, 0) for words in found)
        assert written == sum(words.read.get(stream.name, 0) for words in found), stream.name
