"""Puts a device back into the state in which it was after power-up; untried, for want of a card."""

import re
import shutil
import subprocess
from pathlib import Path

from stbuild.errors import StbuildError
from stbuild.runtime.devices.opening import NATIVE, check_name
from stbuild.runtime.devices.xrt.cards import find_cards

LIMIT_S = 120
_DONE = "Successfully reset Device"
_ADDRESS = re.compile(r"(?:[0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")


def reset_device(name: str, root: Path = Path("/")) -> str:
    """Reset the device `name` with XRT's `xbutil`, and say what was done.

    An emulated card is made anew each time it is opened, so there nothing is done. Options and output are
    those of XRT's `xbutil2/SubCmdReset.cpp` and `common/XBMain.cpp` (github.com/Xilinx/XRT at 963c58ee):
    `--device` takes the user function's address, `--force` asks nobody. It exits with 0 where the driver
    refuses, as Debian's broken wrapper always does, so that only its words tell whether it reset the card.
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
    if done.returncode or _DONE not in done.stdout:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        why = " ".join(last) or f"it ended with {done.returncode} and said nothing"
        raise StbuildError(f"`xbutil reset --device {card}` failed: {why}", exit_code=1)
    return f"reset {card}"
