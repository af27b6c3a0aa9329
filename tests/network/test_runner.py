"""Networks of a few processes: they end, or their hang names who waits for whom."""

import pytest

from stbuild.network.hang import Wait
from stbuild.network.network import Network
from stbuild.network.program import Event, Program, Read, Repeat, Write, events, moves, reads, writes
from stbuild.network.runner import Runner


def network(depths: dict[str, int], loops: dict[int, str] | None = None, **programs: Program) -> Network:
    return Network(programs=programs, depths=depths, loops=loops or {})


def uneven(depth: int) -> Network:
    """`join` takes ten words of `late` before the first of `early`; the fork sends both together."""
    return network(
        {"early": depth, "late": 2},
        fork=(Repeat(10, (Write(("early", "late")),)),),
        join=(reads("late", 10), reads("early", 10)),
    )


def in_runs(count: int, words: int = 3) -> Network:
    """A block of `count` runs whose head takes every run but the first from its tail."""
    back = Repeat(count - 1, (moves("back", "work", words),), runs_of=0)
    send = Repeat(count - 1, (moves("done", "back", words),), runs_of=0)
    return network(
        {"start": 2, "back": words, "work": 2, "done": 2, "end": 2, "ask": 1, "answer": 1},
        {0: "head"},
        source=(Write(("ask",)), writes("start", words), Read("answer")),
        head=(moves("start", "work", words), back),
        op=(Repeat(count, (moves("work", "done", words),), runs_of=0),),
        tail=(send, moves("done", "end", words)),
        sink=(Read("ask"), reads("end", words), Write(("answer",))),
    )


def test_a_hang_names_each_process_its_fifo_and_how_full_it_is() -> None:
    hang = Runner(uneven(9)).run()
    assert hang is not None
    assert hang.cycle == (
        Wait(process="fork", write=True, stream="early", depth=9, fill=9),
        Wait(process="join", write=False, stream="late", depth=2, fill=0),
    )
    assert str(hang).splitlines() == [
        "  fork waits to write early (depth 9, fill 9, full)",
        "  join waits to read late (depth 2, fill 0, empty)",
    ]


def test_a_fifo_that_holds_all_that_must_wait_does_not_hang() -> None:
    assert Runner(uneven(10)).run() is None


def test_a_hang_goes_on_with_the_words_that_it_needs_and_no_more() -> None:
    runner = Runner(uneven(1))
    assert runner.run(lambda cycle: next(wait.stream for wait in cycle if wait.write)) is None
    assert runner.depths["early"] == 10


def test_several_streams_of_a_write_get_their_words_at_the_same_time() -> None:
    """A full stream keeps the others of the same write empty."""
    hang = Runner(uneven(3)).run()
    assert hang is not None
    assert {(wait.stream, wait.fill) for wait in hang.waits} == {("early", 3), ("late", 0)}


def test_a_network_that_reads_more_than_is_written_is_no_network() -> None:
    reader = (reads("a", 2), reads("b", 2))
    with pytest.raises(ValueError, match="stream 'a' is written 1 words, of which 2 are read"):
        Runner(network({"a": 2, "b": 2}, writer=(writes("a", 1), writes("b", 2)), reader=reader))


@pytest.mark.parametrize("whole", [True, False])
def test_runs_that_repeat_each_other_are_skipped(whole: bool) -> None:
    runner = Runner(in_runs(1000), whole=whole)
    assert runner.run() is None
    assert runner.skipped > 900
    every = Runner(in_runs(1000), whole=whole, all_runs=True)
    assert every.run() is None
    assert every.skipped == 0


def test_a_loop_too_small_for_a_run_hangs_with_or_without_skipping() -> None:
    small = in_runs(50, 20)
    for all_runs in (False, True):
        network_ = Network(programs=small.programs, depths={**small.depths, "back": 4}, loops=small.loops)
        assert Runner(network_, all_runs=all_runs).run() is not None


def test_equal_steps_are_one_event() -> None:
    program: Program = (reads("x", 3), Read("x"), Repeat(2, (Read("x"), Write(("y", "z")))))
    both = Event(write=True, streams=("y", "z"), words=1)
    assert list(events(program)) == [Event(False, ("x",), 5), both, Event(False, ("x",), 1), both]
