"""Figures are read from what the build reports and from what a device was measured to do."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from stbuild.nightly.figures import (
    KINDS,
    figures_of_accuracy,
    figures_of_cycles,
    figures_of_link,
    figures_of_runs,
)
from stbuild.nightly.runs import Broken, Request, Runs, read_answer, read_request, to_json
from stbuild.nightly.values import Better
from stbuild.package import schema
from stbuild.package.link_report import LinkReport, PlaceUse
from stbuild.reference.accuracy import Accuracy
from tests.conftest import CHECKOUT

RUNS = Runs(
    described="a card",
    seconds=2.0,
    compared=3,
    lengths=((16, (0.010, 0.020), (0.001, 0.002, 0.003, 0.002)), (64, (0.1,), ())),
    temperatures_c=(40.0, 44.0),
    powers_w=(30.0, 32.0),
)


def test_what_the_clock_and_the_sensors_said() -> None:
    figures = {figure.name: figure for figure in figures_of_runs(RUNS)}
    assert figures["first_token_p50_ms@16"].value == pytest.approx(15)
    assert figures["token_p50_ms@16"].value == pytest.approx(2)
    assert figures["token_p99_ms@16"].value == pytest.approx(2.97)
    assert figures["tokens_per_s@16"].value == pytest.approx(500)
    assert figures["tokens_per_s@16"].better is Better.HIGHER
    assert "tokens_per_s@64" not in figures  # a single token: there is no decode step
    assert (figures["temperature_c"].value, figures["power_w"].value) == (44.0, 31.0)
    assert not any(figure.exact for figure in figures.values())


def test_accuracy_cycles_and_link_are_exact(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    found = Accuracy(tokens=9, kl=0.001, top1=0.97, perplexity=20.2, float_perplexity=20.0)
    path.write_text(json.dumps(asdict(found)))
    accuracy = {figure.name: figure.value for figure in figures_of_accuracy(path)}
    assert accuracy == {"kl": 0.001, "top1": 0.97, "perplexity_change": pytest.approx(0.01)}
    path.write_text('{"steps": [{"name": "decode, full context", "cycles": [3, 4]}]}')
    assert [(f.name, f.value, f.exact) for f in figures_of_cycles(path)] == [
        ("cycles@decode_full_context", 7, True)
    ]
    place = PlaceUse(place="SLR0", lut=100.0, dsp=7.0)
    link = LinkReport(tool="v++", target="hw", asked_mhz=300, clock_mhz=290, wns=-0.1, places=(place,))
    path.write_text(schema.to_json(link))
    seen = {figure.name: figure.value for figure in figures_of_link(path)}
    assert seen == {"wns_ns": -0.1, "lut@SLR0": 100.0, "dsp@SLR0": 7.0}


def test_requests_and_answers_pass_as_json() -> None:
    request = Request(
        bundle="b", device="xrt:0", expected="e", prompt_tokens=(1, 2), new_tokens=3, repeats=4,
        launch_limit_s=5.0, max_temperature_c=6.0,
    )  # fmt: skip
    assert read_request(to_json(request)) == request
    for answer in (RUNS, Broken(fault="lost device", message="m", described="d")):
        assert read_answer(to_json(answer)) == answer


def test_every_kind_of_figure_is_in_the_documentation() -> None:
    text = (CHECKOUT / "docs/nightly.md").read_text()
    assert [kind for kind in KINDS if f"`{kind}" not in text] == []
