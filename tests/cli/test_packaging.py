"""A wheel, an editable install and the plain checkout all find the built-in rules, also from elsewhere."""

import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, WorkspaceFolder

PLUGIN = Path(__file__).resolve().parents[1] / "plugin_package"


def make_python(folder: Path) -> Path:
    """A virtual environment that sees the packages of this one."""
    venv.create(folder, with_pip=False, symlinks=True)
    site = next((folder / "lib").glob("python*")) / "site-packages"
    (site / "outer.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin/python"


def pip(python: Path, *args: str) -> None:
    """Run pip for another interpreter; skip when a build needs an index that cannot be reached."""
    argv = [sys.executable, "-m", "pip", "--python", str(python), "-q", "--disable-pip-version-check", *args]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if "hatchling" in done.stderr:
        pytest.skip("hatchling is missing and PyPI cannot be reached: pip download hatchling")
    assert done.returncode == 0, done.stderr


def stbuild(python: Path, workspace: WorkspaceFolder, *args: str) -> str:
    """Run an installed stbuild in a workspace."""
    env = workspace.environment()
    del env["PYTHONPATH"]
    done = subprocess.run(
        [python, "-P", "-m", "stbuild", *args],
        cwd=workspace.root,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("how", ["wheel", "editable"])
def test_an_installed_stbuild_builds_elsewhere(workspace: WorkspaceFolder, tmp_path: Path, how: str) -> None:
    python = make_python(tmp_path / "venv")
    pip(python, "install", "--no-deps", *(["-e"] if how == "editable" else []), str(CHECKOUT))
    workspace.build_file("p", "genrule: {name: g, outs: [g.txt], cmd: 'echo hi > $@'}")
    assert stbuild(python, workspace, "p:g").startswith("done: 1 run")
    assert "u55c" in stbuild(python, workspace, "platforms")
    where = subprocess.run(
        [python, "-P", "-c", "import stbuild; print(stbuild.__file__)"], capture_output=True, text=True
    )
    inside = str(tmp_path) in where.stdout
    assert inside == (how == "wheel")
    code = "from importlib.metadata import distribution as d; d = d('stbuild'); print(d.metadata.as_string())"
    about = subprocess.run([python, "-P", "-c", code], capture_output=True, text=True, check=True).stdout
    assert "License-Expression: Apache-2.0\nLicense-File: LICENSE\n" in about


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A copy of the plugin package of docs/plugins.md."""
    folder = tmp_path / "lab-cards"
    shutil.copytree(PLUGIN, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.parametrize("how", ["wheel", "editable"])
def test_a_plugin_package_brings_a_rule_and_a_platform(
    workspace: WorkspaceFolder, tmp_path: Path, plugin: Path, how: str
) -> None:
    python = make_python(tmp_path / "venv")
    pip(python, "install", "--no-deps", "-e", str(CHECKOUT))
    pip(python, "install", "--no-deps", *(["-e"] if how == "editable" else []), str(plugin))
    workspace.build_file("p", "datasheet: {name: sheet, title: Our card, notes: [notes.txt]}")
    workspace.write("p/notes.txt", "Bring your own cable.\n")
    assert stbuild(python, workspace, "p:sheet", "--platform", "lab_u55c").startswith("done: 1 run")
    sheet = "Our card\ncard: Alveo U55C in our lab\nclock_mhz: 200\n"
    text = f"{sheet}\nBring your own cable.\n"
    assert workspace.output("p/sheet/datasheet.txt", "lab_u55c-sw_emu").read_text() == text
    assert stbuild(python, workspace, "run", "p:sheet", "--platform", "lab_u55c") == text
    (line,) = [each for each in stbuild(python, workspace, "platforms").splitlines() if "lab_u55c" in each]
    assert line.split() == ["lab_u55c", "xcu55c-fsvh2892-2L-e", "lab"]


def test_an_edit_to_an_installed_plugin_is_noticed(
    workspace: WorkspaceFolder, tmp_path: Path, plugin: Path
) -> None:
    python = make_python(tmp_path / "venv")
    pip(python, "install", "--no-deps", "-e", str(CHECKOUT))
    pip(python, "install", "--no-deps", "-e", str(plugin))
    workspace.build_file("p", "datasheet: {name: sheet}")
    command = ("p:sheet", "--platform", "lab_u55c")
    stbuild(python, workspace, *command)
    assert stbuild(python, workspace, *command).startswith("done: 0 run")
    card = plugin / "src/lab_cards/platforms/lab_u55c.py"
    card.write_text(card.read_text().replace("target_mhz=200", "target_mhz=180"))
    assert "--clock-mhz: 200 -> 180" in stbuild(python, workspace, "explain", *command)
    assert stbuild(python, workspace, *command).startswith("done: 1 run")
    step = plugin / "src/lab_cards/steps/datasheet.py"
    step.write_text(step.read_text().replace("clock_mhz: {", "clock_mhz = {"))
    assert "code lab_cards/steps/datasheet.py: " in stbuild(python, workspace, "explain", *command)
    stbuild(python, workspace, *command)
    assert "clock_mhz = 180\n" in workspace.output("p/sheet/datasheet.txt", "lab_u55c-sw_emu").read_text()


def test_the_guide_shows_the_package_as_it_is() -> None:
    text = (CHECKOUT / "docs/plugins.md").read_text()
    shown = dict(re.findall(r"<!-- (\S+) -->\n```\w+\n(.*?)```\n", text, re.DOTALL))
    assert set(shown) == {
        "pyproject.toml",
        "src/lab_cards/rules/datasheet.py",
        "src/lab_cards/steps/datasheet.py",
        "src/lab_cards/platforms/lab_u55c.py",
    }
    for name, code in shown.items():
        assert code == (PLUGIN / name).read_text()
        assert len(code.splitlines()) <= 30
