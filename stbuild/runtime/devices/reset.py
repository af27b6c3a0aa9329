"""Puts a device back into the state in which it was after power-up; untried, for want of a card."""

import re
import shutil
import subprocess
from pathlib import Path

from stbuild.errors import StbuildError
from stbuild.runtime.devices.opening import NATIVE, check_name
from stbuild.runtime.devices.xrt.cards import find_cards

LIMIT_S = 120
_ADDRESS = re.compile(r"(?:[0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")


def reset_device(name: str, root: Path = Path("/")) -> str:
    """Reset the device `name` with XRT's `xbutil`, and say what was done.

    An emulated card is made anew each time it is opened, so there nothing is done. Debian's `xbutil` exits
    with 0 whatever happens: only opening the device again tells whether it works.
    """
    check_name(name)
    cards = find_cards(root)
    if name == NATIVE or not cards:
        return "an emulated card is new each time"
    card = name.removeprefix("xrt:")
    if not _ADDRESS.fullmatch(card):
        if int(card) >= len(cards):
            raise StbuildError(f"there is no card {card}", hint="`stbuild devices` lists what there is")
        card = cards[int(card)].address
    program = shutil.which("xbutil")
    if program is None:
        raise StbuildError("a card is reset by `xbutil`, which is not on PATH", hint="install XRT")
    argv = (program, "reset", "--device", card, "--force")
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        raise StbuildError(
            f"`xbutil reset --device {card}` did not end in {LIMIT_S} s", exit_code=1
        ) from None
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise StbuildError(f"`xbutil reset --device {card}` failed: {' '.join(last)}", exit_code=1)
    return f"reset {card}"
