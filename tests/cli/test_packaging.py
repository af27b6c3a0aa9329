"""A wheel, an editable install and the plain checkout all find the built-in rules, also from elsewhere."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, WorkspaceFolder

PLUGIN_RULE = '''
"""Shout a text."""

from dataclasses import dataclass

from stbuild.api import Context, FilesInfo, rule


@dataclass(frozen=True, kw_only=True)
class Shout:
    text: str


@rule
def shout(ctx: Context[Shout]) -> FilesInfo:
    """Write the text in capitals."""
    out = ctx.output("loud.txt")
    ctx.run("Shout", ("/bin/bash", "-c", 'echo "${0^^}" > $1', ctx.attrs.text, out))
    return FilesInfo(files=(out,))
'''
PLUGIN_PLATFORM = '''
"""A card of our own: the U55C with a slower clock."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Card:
    name: str
    part: str


MYCARD = Card(name="mycard", part="xcmy")
'''


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


def test_a_plugin_package_brings_a_rule_and_a_platform(workspace: WorkspaceFolder, tmp_path: Path) -> None:
    python = make_python(tmp_path / "venv")
    plugin = tmp_path / "plugin"
    for name, text in (("rules/shout.py", PLUGIN_RULE), ("platforms/mycard.py", PLUGIN_PLATFORM)):
        path = plugin / "src/my_cards" / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    (plugin / "src/my_cards/__init__.py").write_text("")
    (plugin / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "my-cards"\nversion = "1"\n'
        '[project.entry-points."stbuild.plugins"]\nmine = "my_cards"\n'
        '[tool.hatch.build.targets.wheel]\npackages = ["src/my_cards"]\n'
    )
    pip(python, "install", "--no-deps", "-e", str(CHECKOUT))
    pip(python, "install", "--no-deps", str(plugin))
    workspace.build_file("p", "shout: {name: s, text: hello}")
    assert stbuild(python, workspace, "p:s", "--platform", "mycard").startswith("done: 1 run")
    assert workspace.output("p/s/loud.txt", "mycard-sw_emu").read_text() == "HELLO\n"
    assert "mycard" in stbuild(python, workspace, "platforms")
