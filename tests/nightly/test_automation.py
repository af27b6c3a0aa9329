"""The systemd units and the GitHub workflow of the documentation are what their tools take."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from stbuild.cli.parser import COMMANDS, parse
from tests.conftest import CHECKOUT

FOLDER = CHECKOUT / "docs/nightly"
SERVICE, TIMER = FOLDER / "stbuild-nightly.service", FOLDER / "stbuild-nightly.timer"


def commands() -> list[str]:
    """The lines that run stbuild, in all three."""
    found = []
    for path in sorted(FOLDER.iterdir()):
        found += re.findall(r"\S*stbuildw (.*)", path.read_text())
    return found


def test_each_runs_a_command_that_there_is() -> None:
    found = commands()
    assert len(found) == 2
    for line in found:
        words = line.split()
        assert words[0] in COMMANDS
        assert parse(words).function.__module__ == "stbuild.cli.nightly"


def test_the_workflow_keeps_history_and_reports() -> None:
    workflow = yaml.safe_load((FOLDER / "github-workflow.yml").read_text())
    (job,) = workflow["jobs"].values()
    checkout, run, keep = job["steps"]
    assert checkout["with"]["clean"] is False
    assert run["run"] == "./stbuildw nightly"
    assert keep["if"] == "always()"
    assert "nightly-results/latest/junit.xml" in keep["with"]["path"]
    assert workflow[True]["schedule"][0]["cron"].split()[1] == "2"  # YAML 1.1 reads `on` as true


def test_the_units_have_the_sections_that_systemd_needs() -> None:
    for path, sections in ((SERVICE, ["Unit", "Service"]), (TIMER, ["Unit", "Timer", "Install"])):
        unit = configparser.ConfigParser(strict=False, interpolation=None)
        unit.optionxform = str  # type: ignore[assignment,method-assign]  # configparser's own idiom
        unit.read_string(path.read_text())
        assert unit.sections() == sections


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """With the folder and the user of this machine in the place of the example's."""
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("no systemd-analyze on this machine")
    text = SERVICE.read_text().replace("/srv/stbuild", str(CHECKOUT)).replace("User=stbuild", "User=root")
    (tmp_path / SERVICE.name).write_text(text)
    (tmp_path / TIMER.name).write_text(TIMER.read_text())
    for name in (SERVICE.name, TIMER.name):
        done = subprocess.run(
            (verify, "verify", "--man=no", str(tmp_path / name)), capture_output=True, text=True, check=False
        )
        ours = [line for line in done.stderr.splitlines() if "stbuild-nightly" in line]
        assert (done.returncode, ours) == (0, []), done.stderr
    (tmp_path / TIMER.name).write_text(TIMER.read_text().replace("02:00:00", "25:00:00"))
    broken = subprocess.run(
        (verify, "verify", "--man=no", str(tmp_path / TIMER.name)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Failed to parse calendar" in broken.stderr
