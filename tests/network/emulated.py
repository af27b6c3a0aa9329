"""What the processes of an emulated design read and wrote in a launch, beside what their programs say."""

import json
from collections.abc import Iterator, Sequence

from stbuild.codegen.identifiers import emulated_stream, with_identifiers
from stbuild.ir.design import Design
from stbuild.network.network import network_of
from stbuild.network.program import Event, Launch, events
from stbuild.package.bundle import load_bundle
from stbuild.runtime.session import Session
from tests.accelerator import Accelerator

Trace = dict[str, tuple[Event, ...]]
"""The events of each process, both with the emulator's names."""


def traces_of(
    card: Accelerator, tokens: Sequence[int], chunks: Sequence[int]
) -> Iterator[tuple[Launch, Trace]]:
    """The launches that take in `tokens`, each with what the emulator kept of it."""
    device = card.device()
    session = Session(device, load_bundle(card.bundle).manifest.model)
    at = 0
    for size in chunks:
        session.prefill(tokens[at : at + size])
        yield Launch(tokens=size, position=at, head=True), parsed(device.trace())
        at += size
    device.close()


def parsed(text: str) -> Trace:
    """The emulator's JSON."""
    return {
        process: tuple(Event(way == "write", tuple(streams), words) for way, streams, words in steps)
        for process, steps in json.loads(text).items()
    }


def programmed(design: Design, launch: Launch) -> Trace:
    """The events of each process's program."""
    named = with_identifiers(design)
    units = {p.name: named.unit_of(p) for p in named.processes}
    streams = {s.name: emulated_stream(named, s) for s in named.streams}

    def process(name: str) -> str:
        return f"{units[name]}.{name}" if name in units else name

    def renamed(event: Event) -> Event:
        return Event(event.write, tuple(streams.get(s, s) for s in event.streams), event.words)

    programs = network_of(named, launch).programs
    return {process(name): tuple(map(renamed, events(p))) for name, p in programs.items()}
