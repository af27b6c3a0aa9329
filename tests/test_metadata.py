"""What pyproject.toml says of the package agrees with the rest of the tree."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_dependencies_are_those_of_requirements() -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    pinned = {line.partition("#")[0].strip() for line in lines} - {""}
    assert set(PROJECT["dependencies"]) == pinned


def test_every_requirement_says_what_it_is_for() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        for line in (ROOT / name).read_text().splitlines():
            assert line.startswith(("#", "-r ")) or re.fullmatch(r"[\w-]+==\S+ +# .+", line), line


def test_the_license_is_in_the_tree() -> None:
    assert PROJECT["license"] == "Apache-2.0"
    (file,) = PROJECT["license-files"]
    text = (ROOT / file).read_text()
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
