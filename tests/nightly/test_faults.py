"""Each fault of a device is told by its name, cured by a reset or kept from the rest of the matrix."""

import pytest

from stbuild.nightly.history import FILE, Reader
from stbuild.nightly.outcome import EXIT_CODES, Fault, Outcome
from stbuild.nightly.values import Result
from tests.nightly.conftest import PLAN, RunNight

TWO = PLAN.replace("platform: u55c", "platform: [u55c, u280]")


def only(results: tuple[Result, ...]) -> Result:
    """The one result."""
    (result,) = results
    return result


@pytest.mark.parametrize(
    ("fault", "kind", "outcome", "message"),
    [
        ("hung", Fault.HUNG, Outcome.BROKEN_DEVICE, "has not returned after 1 s"),
        ("reported hung", Fault.HUNG, Outcome.BROKEN_DEVICE, "the kernel hangs"),
        ("wrong bits", Fault.WRONG_BITS, Outcome.WRONG_RESULT, "in prompt 0: the logits of new token 1"),
        ("killed", Fault.LOST, Outcome.BROKEN_DEVICE, "ended by SIGKILL"),
        ("lost", Fault.LOST, Outcome.BROKEN_DEVICE, "the device was lost"),
        ("thermal", Fault.THERMAL, Outcome.BROKEN_DEVICE, "the card has 99.5 °C, more than the 95 °C"),
        ("busy", Fault.BUSY, Outcome.NOT_MEASURED, "the card is in use"),
        ("disk full", Fault.DISK_FULL, Outcome.NOT_MEASURED, "no room is left to write in: /var/run/x"),
    ],
)
def test_a_fault_that_stays_is_told_by_its_name(
    night: RunNight, fault: str, kind: Fault, outcome: Outcome, message: str
) -> None:
    told: list[str] = []
    ended = night(fault, plan=PLAN.replace("launch_limit_s: 5", "launch_limit_s: 1"), told=told)
    result = only(ended.results)
    assert (result.fault, result.outcome, result.tries) == (kind, outcome, 2)
    assert message in result.message
    assert ended.exit_code == EXIT_CODES[outcome]
    reset = "not reset" if fault in ("busy", "disk full") else "an emulated card is new each time"
    assert any(line.endswith(f"; {reset}, trying again") for line in told)


def test_a_fault_that_a_reset_cures_is_noted_and_measured(night: RunNight) -> None:
    result = only(night("lost", times=1).results)
    assert (result.outcome, result.fault, result.tries) == (Outcome.GOOD, None, 2)
    assert "before: " in result.message
    assert any(figure.kind == "tokens_per_s" for figure in result.figures)


def test_wrong_bits_that_a_reset_cures_are_the_devices(night: RunNight) -> None:
    ended = night("wrong bits", times=1)
    result = only(ended.results)
    assert (result.outcome, result.fault) == (Outcome.BROKEN_DEVICE, Fault.WRONG_BITS)
    assert result.message.endswith("right after a reset")
    assert ended.exit_code == 5


def test_a_device_that_fails_again_is_in_quarantine_and_the_others_go_on(night: RunNight) -> None:
    plan = TWO.replace("device: DEVICE", "device: ['xrt:0', native]")
    ended = night("lost", plan=plan, times=2)
    outcomes = {(r.cell.platform, r.cell.device): r.outcome for r in ended.results}
    assert outcomes == {
        ("u55c", "xrt:0"): Outcome.BROKEN_DEVICE,
        ("u55c", "native"): Outcome.GOOD,
        ("u280", "xrt:0"): Outcome.NOT_MEASURED,
        ("u280", "native"): Outcome.GOOD,
    }
    assert "xrt:0 is in quarantine since this night: lost device in tiny u55c" in ended.results[2].message
    again = night("lost", plan=plan, times=0)
    assert again.outcome is Outcome.GOOD
    with Reader.open(ended.folder.parents[1] / FILE) as history:
        assert history.quarantined(ended.night.host) == {}


def test_a_device_in_quarantine_since_an_earlier_night_gets_one_try(night: RunNight) -> None:
    for tries in (2, 1):
        result = only(night("lost", device="xrt:0").results)
        assert (result.outcome, result.tries) == (Outcome.BROKEN_DEVICE, tries)


def test_a_slow_device_is_told_by_its_last_good_nights(night: RunNight) -> None:
    for _ in range(3):
        assert night().outcome is Outcome.GOOD
    ended = night("slow")
    result = only(ended.results)
    assert (result.outcome, result.fault, result.tries) == (Outcome.SLOWDOWN, Fault.SLOW, 2)
    assert "the device is slow: tokens_per_s@3 is " in result.message
    assert any(figure.kind == "tokens_per_s" for figure in result.figures)
    assert ended.exit_code == 4


def test_sensors_are_read_where_there_are_any(night: RunNight) -> None:
    figures = {figure.name: figure.value for figure in only(night("sensors").results).figures}
    assert (figures["temperature_c"], figures["power_w"]) == (41.0, 33.0)
    assert "power_w" not in {figure.name for figure in only(night().results).figures}
