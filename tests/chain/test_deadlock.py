"""A generated design with one FIFO a word too shallow stops at once; the report says who waits for whom."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from stbuild.errors import StbuildError
from stbuild.ir.design import Design, Stream
from stbuild.ops.add import Add
from stbuild.ops.fork import Fork
from stbuild.package.bundle import load_bundle
from stbuild.runtime.devices.native import NativeDevice
from stbuild.runtime.session import Session
from tests.accelerator import Accelerator, accelerate, bundled, compile_design, platform
from tests.models import tiny_llama

CHUNK = 8
TOKENS = (3, 5, 7, 9, 11, 2, 1, 4, 60)
WAIT = re.compile(
    r"  (?P<process>\S+) waits to (?P<way>read|write) (?P<stream>\S+)"
    r" \(depth (?P<depth>\d+), fill (?P<fill>\d+), \w+( \w+)?, \d+ written, \d+ read\)"
)


@dataclass(frozen=True, kw_only=True)
class Wait:
    """One line of the report."""

    process: str
    way: str
    stream: str
    depth: int
    fill: int


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Accelerator:
    folder = tmp_path_factory.mktemp("card")
    return accelerate(tiny_llama(), folder, channels=2, lanes=1, chunk=CHUNK)


def skips(design: Design) -> list[Stream]:
    """The residuals: what a fork keeps for an addition, while its other copy goes through the engine."""
    forks = {p.name for p in design.processes if isinstance(p.op, Fork)}
    adds = {p.name for p in design.processes if isinstance(p.op, Add)}
    return [s for s in design.streams if s.source in forks and s.sink in adds]


def named(stream: Stream, design: Design) -> str:
    """The name of a FIFO inside a kernel, as the emulator gives it."""
    return f"{design.process(stream.source).kernel}.{stream.name}"


def logits(device: NativeDevice, bundle: Path) -> NDArray[np.int32]:
    """What comes out after a whole chunk and one more token."""
    session = Session(device, load_bundle(bundle).manifest.model)
    session.prefill(TOKENS)
    return session.logits()


def least_depth(card: Accelerator, stream: Stream) -> int:
    """The least depth of `stream` with which a launch ends, all other depths being those of the design."""
    device, name = card.device(), named(stream, card.design)
    hangs, works = 0, stream.depth
    while works - hangs > 1:
        middle = (hangs + works) // 2
        device.set(f"depth.{name}", middle)
        try:
            logits(device, card.bundle)
            works = middle
        except StbuildError:
            hangs = middle
    return works


def built_with_depth(card: Accelerator, stream: Stream, depth: int, folder: Path) -> Path:
    """The bundle of the design with another depth of one FIFO."""
    changed = tuple(replace(s, depth=depth) if s == stream else s for s in card.design.streams)
    image = compile_design(replace(card.design, streams=changed), folder)
    bundle = folder / "bundle"
    bundled(card.bundle.parent, platform("u55c"), image, bundle)
    return bundle


def waits(message: str) -> Iterator[Wait]:
    """The report's lines."""
    for line in message.splitlines()[1:]:
        found = WAIT.fullmatch(line)
        assert found, line
        depths = {"depth": int(found["depth"]), "fill": int(found["fill"])}
        yield Wait(process=found["process"], way=found["way"], stream=found["stream"], **depths)


def other_end(wait: Wait, design: Design) -> str:
    """The process, or the compute unit, at the other end of the stream of `wait`."""
    unit, _, local = wait.stream.rpartition(".")
    if unit.startswith("matmul_"):
        return unit
    stream = design.stream(local)
    return stream.sink if wait.way == "write" else stream.source


def test_every_residual_holds_what_it_must(card: Accelerator) -> None:
    """Between the first word of a chunk's residual and its addition lies a pass through the engine."""
    assert len(skips(card.design)) == 2
    for stream in skips(card.design):
        chunk_words = CHUNK * stream.words
        assert chunk_words - 2 <= least_depth(card, stream) <= chunk_words <= stream.depth


@pytest.mark.parametrize("number", [0, 1])
def test_a_fifo_one_too_shallow_is_named_with_the_cycle_of_waits(
    card: Accelerator, number: int, tmp_path: Path
) -> None:
    stream = skips(card.design)[number]
    least = least_depth(card, stream)
    bundle = built_with_depth(card, stream, least - 1, tmp_path)
    device = NativeDevice(load_bundle(bundle))
    start = time.perf_counter()
    with pytest.raises(StbuildError, match="deadlock: these processes wait for each other") as stopped:
        logits(device, bundle)
    assert time.perf_counter() - start < 1.0
    assert "emulated u55c on this host" in str(stopped.value)
    found = list(waits(stopped.value.message))
    full = next(w for w in found if w.way == "write")
    name = named(stream, card.design)
    assert (full.stream, full.depth, full.fill) == (name, least - 1, least - 1)
    assert full.process == f"layers_residual.{stream.source}"
    assert found[(found.index(full) + 1) % len(found)].process == f"layers_residual.{stream.sink}"
    for wait, following in zip(found, [*found[1:], found[0]], strict=True):
        unit, _, process = following.process.rpartition(".")
        assert other_end(wait, card.design) in (unit, process), f"{wait} does not lead to {following}"


def test_the_least_depth_gives_the_same_bits(card: Accelerator, tmp_path: Path) -> None:
    stream = skips(card.design)[1]
    bundle = built_with_depth(card, stream, least_depth(card, stream), tmp_path)
    expected = card.expected(TOKENS).logits[-1].numpy()
    assert np.array_equal(logits(NativeDevice(load_bundle(bundle)), bundle), expected)


def test_a_shorter_chunk_passes_where_a_whole_one_hangs(card: Accelerator) -> None:
    """The depth that a residual needs grows with the tokens of a launch."""
    stream = skips(card.design)[0]
    device = card.device()
    device.set(f"depth.{named(stream, card.design)}", least_depth(card, stream) - 1)
    session = Session(device, load_bundle(card.bundle).manifest.model)
    session.prefill(TOKENS[: CHUNK - 1])
    with pytest.raises(StbuildError, match=f"{named(stream, card.design)} "):
        session.prefill(TOKENS[:CHUNK])
