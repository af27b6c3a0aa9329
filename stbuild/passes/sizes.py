"""The sizes of the machine: channels, lanes, tokens at once, from what the card has."""

from dataclasses import dataclass

from stbuild.errors import StbuildError
from stbuild.ir.design import Engine, Sizes
from stbuild.ir.graph import Graph
from stbuild.limits import CHUNK, OTHER_PORTS, default_channels
from stbuild.platform import Platform

MACS_PER_WORD = 128
"""4-bit weights in a 512-bit word."""
DSP_SHARE = 0.75
"""Of the DSPs left to kernels; the practical ceiling in public U280 designs is 50 to 75 %."""


@dataclass(frozen=True, kw_only=True)
class SizeOverrides:
    """Sizes that a project sets itself; 0 leaves the choice to the compiler."""

    channels: int = 0
    lanes: int = 0
    chunk: int = 0
    token_lanes: int = 0
    clock_mhz: int = 0


def choose_engine(platform: Platform, overrides: SizeOverrides) -> Engine:
    """Weight channels up to the ports that still route, one compute unit per SLR, tokens by DSPs.

    Raises StbuildError when the overrides do not fit together or the card has fewer ports.
    """
    channels = overrides.channels or _channels(platform)
    lanes = overrides.lanes or _lanes(channels, len(platform.slrs))
    _check(channels, lanes, platform)
    chunk = overrides.chunk or CHUNK
    return Engine(
        units=channels // lanes,
        lanes=lanes,
        token_lanes=overrides.token_lanes or _token_lanes(channels, chunk, platform),
        chunk=chunk,
    )


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


def _channels(platform: Platform) -> int:
    """Channels that the memory and the ports allow, the same number in every SLR."""
    return default_channels(
        banks=platform.memory.banks, ports=platform.axi.practical, slrs=len(platform.slrs)
    )


def _lanes(channels: int, slrs: int) -> int:
    """Lanes of a compute unit: one unit per SLR where the channels divide so, else one unit in all."""
    return channels // slrs if channels % slrs == 0 else channels


def _token_lanes(channels: int, chunk: int, platform: Platform) -> int:
    """Tokens in the same cycle: the largest power of two, up to the chunk, that the DSPs pay for."""
    dsps = channels * MACS_PER_WORD / platform.dsp.int4_int8_macs
    lanes = 1
    while lanes * 2 <= chunk and lanes * 2 * dsps <= DSP_SHARE * platform.available.dsp:
        lanes *= 2
    return lanes


def _check(channels: int, lanes: int, platform: Platform) -> None:
    if channels % lanes:
        raise StbuildError(
            f"{channels} channels do not fill compute units of {lanes} lanes",
            hint=f"choose a number of channels that {lanes} divides",
        )
    if channels + OTHER_PORTS > platform.axi.limit or channels > platform.memory.banks:
        most = min(platform.axi.limit - OTHER_PORTS, platform.memory.banks)
        raise StbuildError(
            f"{channels} weight channels are more than {platform.name} can feed",
            hint=f"at most {most}: {platform.axi.limit} ports, of which {OTHER_PORTS} are taken",
        )
