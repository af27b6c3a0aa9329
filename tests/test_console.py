"""The lines of a build in a log: what runs and for how long, against last time, and what waits."""

import io
import re
import time

from stbuild.console import PlainDisplay, seconds
from stbuild.engine.record.events import Event

LINK = {"id": "//p:link#VppLink", "label": "//p:link", "mnemonic": "VppLink"}


def event(kind: str, **fields: object) -> Event:
    """One event, now."""
    return Event(kind=kind, time_s=time.time(), fields=fields)


def test_a_long_action_is_told_again_with_what_it_took_last_time() -> None:
    text = io.StringIO()
    display = PlainDisplay(text, every_s=0.05)
    display(event("build_started", pending=1, clean=3, cached=2))
    display(event("action_waiting", **LINK, what="vitis"))
    display(event("action_started", **LINK, argv=[], last_s=7200.0))
    time.sleep(0.18)
    display(event("action_finished", **LINK, seconds=3000.0))
    display.close()
    lines = text.getvalue().splitlines()
    assert lines[:3] == [
        "  to do  1; 2 from the cache, 3 in place",
        "  waits  //p:link VppLink for vitis",
        "  start  //p:link VppLink (2 h 00 min last time)",
    ]
    assert lines[-1] == "[1/1] ran    //p:link VppLink (50 min 00 s), 2 h 00 min last time"
    told = lines[3:-1]
    assert told
    assert all(
        re.fullmatch(r"  runs   //p:link VppLink \(0\.\d+ s of about 2 h 00 min\)", each) for each in told
    )


def test_nothing_is_told_after_the_end() -> None:
    text = io.StringIO()
    display = PlainDisplay(text, every_s=0.02)
    display(event("action_started", **LINK, argv=[], last_s=None))
    display.close()
    before = text.getvalue()
    time.sleep(0.1)
    assert text.getvalue() == before


def test_of_many_quick_actions_few_are_told() -> None:
    text = io.StringIO()
    display = PlainDisplay(text)
    display(event("build_started", pending=1000, clean=0, cached=0))
    for number in range(1000):
        name = {**LINK, "id": f"{number}"}
        display(event("action_started", **name, argv=[], last_s=None))
        display(event("action_finished", **name, seconds=0.01))
    display.close()
    assert 1 <= len(text.getvalue().splitlines()) < 20
    assert "\x1b" not in text.getvalue()


def test_durations() -> None:
    told = [seconds(value) for value in (0.004, 0.25, 59.94, 60, 3599, 3600, 86_400)]
    assert told == ["0.00 s", "0.2 s", "59.9 s", "1 min 00 s", "59 min 59 s", "1 h 00 min", "24 h 00 min"]
