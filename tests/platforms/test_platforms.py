"""The platform files: valid values, sourced figures, and the facts that generated designs lean on."""

import importlib.util
import json
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from stbuild.engine.graph.canonical import plain
from stbuild.errors import StbuildError
from stbuild.ir import serde
from stbuild.platform import (
    Confidence,
    DspKind,
    Fabric,
    MemoryType,
    Platform,
    Power,
    Source,
    Sourced,
)
from stbuild.platform_file import check_platform

FOLDER = Path(__file__).parents[2] / "platforms"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))


def load(name: str) -> Platform:
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return check_platform(getattr(module, name.upper()), name)


def figures(platform: Platform) -> Iterator[tuple[str, Any, Source]]:
    """Every figure of `platform` as (dotted name, value, source), in the order of the fields."""
    yield from _figures(platform.name, platform)


def _figures(prefix: str, group: Sourced) -> Iterator[tuple[str, Any, Source]]:
    for field in fields(group):
        value = getattr(group, field.name)
        parts = value if isinstance(value, tuple) else (value,)
        for index, part in enumerate(parts):
            name = f"{prefix}.{field.name}" + (f"[{index}]" if len(parts) > 1 else "")
            if isinstance(part, Sourced):
                yield from _figures(name, part)
            elif field.name in {name for source in group.sources for name in source.of}:
                yield name, part, group.source_of(field.name)


def test_the_three_cards_are_there() -> None:
    assert NAMES == ["u280", "u55c", "vck5000"]


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_has_a_source(name: str) -> None:
    platform = load(name)
    listed = list(figures(platform))
    assert len(listed) > 30
    assert all(source.text for _, _, source in listed)
    assert all(isinstance(source.confidence, Confidence) for _, _, source in listed)


@pytest.mark.parametrize("name", NAMES)
def test_a_platform_survives_the_parameters_file(name: str) -> None:
    platform = load(name)
    assert serde.from_data(Platform, json.loads(json.dumps(plain(platform)))) == platform


@pytest.mark.parametrize("name", NAMES)
def test_the_shell_leaves_less_than_the_die_holds(name: str) -> None:
    for slr in load(name).slrs:
        assert slr.die is not None
        for field in fields(Fabric):
            assert getattr(slr.available, field.name) <= getattr(slr.die, field.name)


def test_totals_of_the_u55c() -> None:
    platform = load("u55c")
    assert platform.available == Fabric(lut=1_131_000, ff=2_265_000, bram36=1_776, uram=960, dsp=8_304)
    assert platform.memory.total_bytes == 16 * 2**30
    assert platform.memory.gbs_per_bank * 28 == pytest.approx(372.4)
    assert platform.axi.practical == 28
    assert platform.memory.tags[7] == "HBM[7]"


def test_cards_differ_where_designs_must() -> None:
    u280, vck = load("u280"), load("vck5000")
    assert [memory.type for memory in u280.memories] == [MemoryType.HBM, MemoryType.DDR]
    assert u280.memory.total_bytes == 8 * 2**30
    assert [u280.memories[1].slr_of(bank) for bank in (0, 1)] == [0, 1]
    assert not vck.has_slrs and vck.sll is None and vck.aie is not None
    assert vck.memory.tags == ("MC_NOC0",)
    assert vck.memory.total_bytes == 12 * 2**30
    assert vck.dsp.type is DspKind.DSP58 and vck.dsp.int4_int8_macs == 3


def test_one_hbm_bank_feeds_less_than_a_512_bit_port() -> None:
    assert 50 < load("u55c").memory.bytes_per_cycle(250) < 64


def test_a_figure_without_source_cannot_be_made() -> None:
    with pytest.raises(ValueError, match=r"idle_watts = 3\.0 has no source"):
        Power(limit_watts=9, idle_watts=3.0, sources=(Source(of=("limit_watts",), text="x"),))


def test_a_source_names_a_figure_once() -> None:
    twice = (Source(of=("limit_watts",), text="x"), Source(of=("limit_watts",), text="y"))
    with pytest.raises(ValueError, match="two sources"):
        Power(limit_watts=9, idle_watts=None, sources=twice)
    with pytest.raises(ValueError, match="'watts', which is no figure"):
        Power(limit_watts=9, idle_watts=None, sources=(Source(of=("watts",), text="x"),))


def test_slls_go_with_several_slrs() -> None:
    with pytest.raises(ValueError, match="SLLs go with two or more SLRs"):
        replace(load("u55c"), sll=None)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (3, "platform 'x' is a int, not a Platform"),
        (load("u280"), "platforms/x.py defines a platform named 'u280'"),
    ],
)
def test_a_file_that_defines_something_else(value: Any, sentence: str) -> None:
    with pytest.raises(StbuildError, match=sentence):
        check_platform(value, "x")


def changed(path: str, value: Any) -> Platform:
    """A U55C with another figure."""
    owner, _, name = path.partition(".")
    card = load("u55c")
    figure: dict[str, Any] = {name: value}
    if owner == "memory":
        return replace(card, memories=(replace(card.memory, **figure),))
    if owner == "available":
        slrs = tuple(replace(s, available=replace(s.available, **figure)) for s in card.slrs)
        return replace(card, slrs=slrs)
    return _with(card, {owner: replace(getattr(card, owner), **figure)})


def _with(card: Platform, parts: dict[str, Any]) -> Platform:
    return replace(card, **parts)


@pytest.mark.parametrize(
    ("path", "value", "takes"),
    [
        ("limits.share", 0, "0.01 to 1, got 0"),
        ("limits.share", 2.0, "0.01 to 1, got 2.0"),
        ("limits.dsp_share", "all", "0.01 to 1, got 'all'"),
        ("axi.limit", 3, "4 or more, got 3"),
        ("memory.banks", 0, "1 or more, got 0"),
        ("clocks.target_mhz", 0, "1 to 500, got 0"),
        ("clocks.target_mhz", 900, "1 to 500, got 900"),
        ("available.uram", -1, "0 or more, got -3"),
        ("available.lut", 0, "1 or more, got 0"),
    ],
)
def test_a_figure_with_which_nothing_can_be_planned_is_told(path: str, value: object, takes: str) -> None:
    """They ended in a division by zero, or in a placement that "is a bug of stbuild"."""
    with pytest.raises(StbuildError, match=re.escape(f"platforms/u55c.py: {path} takes {takes}")):
        check_platform(changed(path, value), "u55c")
