"""A twin and its process on the same streams: the same bits, and how their cycles compare."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import numpy as np

from benchmarks.twins.timed import Process, TimedImage
from benchmarks.twins.verilated import Bytes, Cycles, Feed, Passed, Port, compile_twin, run_twin
from stbuild.ir.parts import Part

COMMAND = Port(name="cmd", into_twin=True, bytes=8, depth=2)
Generator = np.random.Generator


class Pace(Enum):
    """When words may pass the far ends of the streams."""

    FULL = "full speed"
    GAPS = "gaps before inputs"
    SLOW = "a sink that reads one cycle in five"
    JITTER = "gaps before inputs, a sink with pauses"


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Input words by port, and how many words come out of each output, in the order of the ports."""

    inputs: tuple[Bytes, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A twin at one set of parameters, and the call of hls_lib that it stands for.

    `traffic` draws a launch; the same seed gives the same words. `hardware` is what the process is made of,
    beside a memory port's adapter.
    """

    name: str
    module: str
    parameters: Mapping[str, int | str]
    ports: tuple[Port, ...]
    call: str
    traffic: Callable[[Generator], Traffic]
    hardware: tuple[Part, ...]
    memory_port: bool = False
    tail: str = ""
    prelude: str = ""
    settings: Mapping[str, float] = field(default_factory=dict)
    each_cycle: str = ""
    """C++ before each cycle of the twin."""

    @property
    def process(self) -> Process:
        """What the timed network runs."""
        return Process(name=self.name, call=self.call, ports=self.ports, tail=self.tail)

    def compile(self, folder: Path, runtime: Path, optimize: str = "-O1") -> Path:
        """The twin's program."""
        return compile_twin(
            self.module, self.ports, self.parameters, folder, runtime, self.each_cycle, optimize
        )


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What came of one launch: words that were compared, those that differ, the cycles of both sides."""

    words: int
    different: int
    cycles: int
    simulated: int
    first: int
    first_simulated: int

    @property
    def ratio(self) -> float:
        """Cycles of the timed network over those of the twin."""
        return self.simulated / self.cycles


def compare(case: Case, program: Path, image: TimedImage, seed: int, pace: Pace) -> Comparison:
    """Runs both on the same launch."""
    rng = np.random.default_rng(seed)
    feeds = paced(case, case.traffic(rng), pace, rng)
    twin = run_twin(program, case.ports, feeds)
    timed = image.run(case.name, feeds, case.settings)
    outputs = [i for i, port in enumerate(case.ports) if not port.into_twin]
    differing = [np.any(twin[i].data != timed[i].data, axis=1).sum() for i in outputs]
    return Comparison(
        words=sum(len(twin[i].data) for i in outputs),
        different=int(sum(differing)),
        cycles=_last(twin, outputs),
        simulated=_last(timed, outputs),
        first=_first(twin, outputs),
        first_simulated=_first(timed, outputs),
    )


def paced(case: Case, traffic: Traffic, pace: Pace, rng: Generator) -> list[Feed]:
    """The words with the cycles from which on they may pass."""
    inputs, outputs = iter(traffic.inputs), iter(traffic.outputs)
    feeds = []
    for port in case.ports:
        data = next(inputs) if port.into_twin else None
        count = len(data) if data is not None else next(outputs)
        feeds.append(Feed(data=data, at=_schedule(count, port, pace, rng)))
    return feeds


def _schedule(count: int, port: Port, pace: Pace, rng: Generator) -> Cycles:
    if port.name == COMMAND.name or pace is Pace.FULL:
        return np.zeros(count, np.int64)
    if port.into_twin:
        gaps = rng.random(count) < 0.3 if pace is not Pace.SLOW else np.zeros(count, bool)
        return np.cumsum(1 + gaps * rng.integers(0, 8, count))
    match pace:
        case Pace.SLOW:
            return 5 * np.arange(count, dtype=np.int64)
        case Pace.JITTER:
            return np.cumsum(1 + (rng.random(count) < 0.1) * rng.integers(0, 40, count))
    return np.zeros(count, np.int64)


def _last(passed: Sequence[Passed], outputs: Sequence[int]) -> int:
    return int(max(passed[i].read[-1] for i in outputs if len(passed[i].read)))


def _first(passed: Sequence[Passed], outputs: Sequence[int]) -> int:
    return int(min(passed[i].read[0] for i in outputs if len(passed[i].read)))
