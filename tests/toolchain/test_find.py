"""Vitis is found where it is named, and what AMD refuses is refused with what works."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stbuild.errors import StbuildError
from stbuild.toolchain.vitis.find import Vitis, find_platform, find_vitis, refused_version
from stbuild.toolchain.vitis.settings import Settings, settings_of
from tests.accelerator import platform


def looking_at(*paths: str) -> Callable[[str], bool]:
    """A machine that has these files."""
    return set(paths).__contains__


def test_the_settings_come_before_the_variable_and_that_before_path() -> None:
    look = looking_at("/a/2022.2/bin/v++", "/b/Vitis/2023.1/bin/v++", "/c/Vitis/2023.2/bin/v++")
    env = {"XILINX_VITIS": "/b/Vitis/2023.1", "PATH": "/usr/bin:/c/Vitis/2023.2/bin"}
    ways = [(Settings(path="/a/2022.2"), env), (Settings(), env), (Settings(), {"PATH": env["PATH"]})]
    found = [find_vitis(look, settings, variables) for settings, variables in ways]
    assert [(each.version, each.named_by) for each in found if each] == [
        ("2022.2", "[tool.stbuild.vitis] path"),
        ("2023.1", "XILINX_VITIS"),
        ("2023.2", "PATH"),
    ]
    assert find_vitis(look, Settings(), {"PATH": "/usr/bin"}) is None


def test_a_name_that_leads_nowhere_is_told() -> None:
    with pytest.raises(StbuildError, match="XILINX_VITIS is /gone, which has no bin/v"):
        find_vitis(looking_at(), Settings(), {"XILINX_VITIS": "/gone"})


@pytest.mark.parametrize(
    ("root", "version"),
    [
        ("/tools/Xilinx/Vitis/2022.2", "2022.2"),
        ("/opt/2025.1/Vitis", "2025.1"),
        ("/x/2021.1/y/2022.1.1", "2022.1"),
    ],
)
def test_the_version_stands_in_the_folder(root: str, version: str) -> None:
    found = find_vitis(looking_at(f"{root}/bin/v++"), Settings(path=root), {})
    assert found is not None
    assert found.version == version


def test_a_folder_without_a_version_is_asked(tmp_path: Path) -> None:
    program = tmp_path / "bin/v++"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho\necho '****** v++ v2023.2 (64-bit)'\n")
    program.chmod(0o755)
    found = find_vitis(looking_at(str(program)), Settings(path=str(tmp_path)), {})
    assert found is not None
    assert found.version == "2023.2"
    program.write_text("#!/bin/sh\necho hello\n")
    with pytest.raises(StbuildError, match="--version tells no version"):
        find_vitis(looking_at(str(program)), Settings(path=str(tmp_path)), {})


def test_both_orders_of_folders_have_vivado_beside() -> None:
    old, new = (Vitis(root=r, version="", named_by="") for r in ("/x/Vitis/2022.2", "/x/2025.1/Vitis"))
    assert old.siblings == ("/x/Vivado/2022.2", "/x/Vitis_HLS/2022.2")
    assert new.siblings == ("/x/2025.1/Vivado", "/x/2025.1/Vitis_HLS")


def test_a_pair_that_is_refused_names_the_pair_that_works() -> None:
    vitis = Vitis(root="/x/Vitis/2024.2", version="2024.2", named_by="PATH")
    card = platform("vck5000")
    nothing = refused_version(vitis, card, looking_at())
    beside = refused_version(vitis, card, looking_at("/x/Vitis/2022.2/bin/v++"))
    assert str(nothing) == (
        "Vitis 2024.2 (PATH) refuses xilinx_vck5000_gen4x8_qdma_2_202220_1, which takes 2022.2 or 2023.1 "
        "(install Vitis 2023.1)"
    )
    assert beside is not None
    assert beside.hint == "set XILINX_VITIS=/x/Vitis/2022.2"
    fits = Vitis(root="/x/Vitis/2022.2", version="2022.2", named_by="PATH")
    assert refused_version(fits, card, looking_at()) is None


def test_a_platform_is_found_in_the_folders_that_are_named() -> None:
    vitis, card = Vitis(root="/v", version="2022.2", named_by=""), platform("u55c")
    name = card.vitis_platform
    settings = Settings(platforms=("/mine",))
    for folder in ("/mine", "/repo", "/opt/xilinx/platforms", "/v/platforms"):
        look = looking_at(f"{folder}/{name}/{name}.xpfm")
        env = {"PLATFORM_REPO_PATHS": "relative:/other:/repo/"}
        assert find_platform(card, vitis, look, settings, env) == folder
    assert find_platform(card, vitis, looking_at(), settings, {}) is None


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"pathh": "/x"}, "has no setting 'pathh'"),
        ({"path": 3}, "path takes a text, got 3"),
        ({"platforms": "/x"}, "platforms takes a list of folders"),
        ({"threads": 0}, "threads takes more than 0"),
        ({"threads": True}, "threads takes a whole number"),
        ({"hours": "1"}, "hours takes a number"),
        ({"slack_ns": 0.1}, "slack_ns takes 0 or less"),
        ({"strict_ii": 1}, "strict_ii takes true or false"),
    ],
)
def test_settings_that_do_not_fit_are_refused(table: dict[str, object], sentence: str) -> None:
    with pytest.raises(StbuildError, match=sentence):
        settings_of(table)


def test_settings_are_read() -> None:
    found = settings_of({"platforms": ["/x"], "hours": 2, "slack_ns": -0.1, "strict_ii": True})
    assert (found.platforms, found.hours, found.slack_ns, found.strict_ii, found.threads) == (
        ("/x",),
        2,
        -0.1,
        True,
        8,
    )
