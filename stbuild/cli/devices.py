"""`stbuild devices`: what bundles can be run on here, by the names that `stbuild run --device` takes."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from stbuild.errors import StbuildError
from stbuild.runtime.devices.xrt.cards import Card, find_cards
from stbuild.runtime.devices.xrt.install import find_xrt


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A device's name and what is known of it."""

    name: str
    text: str


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("--json", action="store_true", help="machine-readable")


def execute(options: argparse.Namespace) -> int:
    """Print the devices."""
    listed = list(devices())
    if options.json:
        print(json.dumps([asdict(each) for each in listed], indent=2))
    else:
        for each in listed:
            print(f"{each.name:12}{each.text}")
    return 0


def devices(root: Path = Path("/")) -> Iterator[Listed]:
    """`native`, then what XRT can reach; sysfs lies below `root`."""
    yield Listed(name="native", text="the emulated card, in the process that runs the bundle")
    cards = find_cards(root)
    try:
        xrt = find_xrt()
    except StbuildError as error:
        yield Listed(name="xrt:…", text=f"none: {error}")
        for card in cards:
            yield Listed(name="-", text=f"{_card(card)}, out of reach without XRT")
        return
    yield Listed(name="xrt:0", text=f"with a bundle for sw_emu: the emulated card, through {xrt}")
    for number, card in enumerate(cards):
        yield Listed(name=f"xrt:{number}", text=_card(card))
    if not cards:
        yield Listed(name="xrt:…", text="with a bundle for hw: no card that XRT's driver knows")


def _card(card: Card) -> str:
    shell = card.shell or "shell unknown"
    warmth = f", {card.temperature_c} °C" if card.temperature_c is not None else ""
    return f"a card at {card.address}, {shell}{warmth}"
