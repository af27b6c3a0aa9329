"""The sizes of the machine: channels, lanes, tokens at once, from what the card has."""

from dataclasses import dataclass

from stbuild.errors import StbuildError
from stbuild.ir.design import Sizes
from stbuild.ir.engine import Engine
from stbuild.ir.graph import Graph
from stbuild.limits import CHUNK, OTHER_PORTS, PASSES, TOKEN_LANES, most_channels
from stbuild.platform import Platform


@dataclass(frozen=True, kw_only=True)
class SizeOverrides:
    """Sizes that a project sets itself; 0 leaves the choice to the compiler."""

    channels: int = 0
    lanes: int = 0
    chunk: int = 0
    token_lanes: int = 0
    batch: int = 0
    clock_mhz: int = 0


def largest_engine(platform: Platform, overrides: SizeOverrides, context: int = CHUNK) -> Engine:
    """What memory and ports allow and nobody has refused: weight channels, a compute unit for each SLR.

    What is left to the compiler is the most that it looks at (`ChooseEngine`). Raises StbuildError when the
    overrides do not fit together or the card has fewer ports.
    """
    most = most_channels(banks=platform.memory.banks, ports=platform.axi.limit)
    channels = overrides.channels or most
    if channels > most:
        raise StbuildError(
            f"{channels} weight channels are more than {platform.name} can feed",
            hint=f"at most {most}: {platform.axi.limit} ports, of which {OTHER_PORTS} are taken",
        )
    chunk = overrides.chunk or min(CHUNK, context)
    token_lanes = overrides.token_lanes or min(TOKEN_LANES, overrides.batch or chunk)
    return Engine(
        lanes=unit_lanes(channels, overrides.lanes or -(-channels // len(platform.slrs))),
        token_lanes=token_lanes,
        chunk=chunk,
        batch=overrides.batch or usual_batch(token_lanes, chunk),
    )


def usual_batch(token_lanes: int, chunk: int) -> int:
    """Vectors at once where a project does not say: `PASSES` for each token lane, or a whole launch."""
    return min(PASSES * token_lanes, chunk)


def unit_lanes(channels: int, most: int) -> tuple[int, ...]:
    """Units of `most` lanes, the last of those that are left."""
    units, rest = divmod(channels, most)
    return (*[most] * units, *([rest] if rest else []))


def choose_sizes(graph: Graph, platform: Platform, engines: tuple[Engine, ...], clock_mhz: int = 0) -> Sizes:
    """A launch takes what the engines of all blocks but the head take at once; the context is the graph's.

    A clock of 0 is the platform's target; raises StbuildError where kernels cannot have it.
    """
    fastest = platform.clocks.second_mhz
    if not 0 <= clock_mhz <= fastest:
        raise StbuildError(
            f"clock_mhz takes 1 to {fastest} on {platform.name}, or 0 for its target of "
            f"{platform.clocks.target_mhz}, got {clock_mhz}",
            hint=f"the shell's fastest kernel clock is {fastest} MHz",
        )
    chunk = min(engine.chunk for engine in engines if engine.role.takes(head=False))
    return Sizes(chunk=chunk, context=graph.context, clock_mhz=clock_mhz or platform.clocks.target_mhz)
