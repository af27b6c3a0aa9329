"""The fixture `golden`: a text must be the one kept in tests/golden; `--update-golden` writes it anew."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import unified_diff
from itertools import islice
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent / "golden"
SHOWN_LINES = 30
HOW = "pytest --update-golden writes the golden files anew; read their difference before you commit it"


@dataclass(frozen=True, kw_only=True)
class Golden:
    """Compares texts with golden files, or writes these."""

    update: bool
    folder: Path = FOLDER

    def check(self, name: str, text: str) -> None:
        """`text` is what the golden file `name` says."""
        file = self.folder / name
        if self.update:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            return
        if not file.is_file():
            pytest.fail(f"there is no golden file {name}; {HOW}", pytrace=False)
        kept = file.read_text()
        if kept != text:
            pytest.fail(
                f"{name} is no longer what is generated\n{difference(kept, text)}\n{HOW}", pytrace=False
            )

    def check_folder(self, name: str, texts: Mapping[str, str]) -> None:
        """`texts` by file name are the golden files in the folder `name`, neither more nor less."""
        for made, text in texts.items():
            self.check(f"{name}/{made}", text)
        extra = sorted(f for f in (self.folder / name).iterdir() if f.name not in texts)
        if self.update:
            for file in extra:
                file.unlink()
        elif extra:
            pytest.fail(f"nothing generates {name}/{extra[0].name} any more; {HOW}", pytrace=False)


def difference(kept: str, text: str) -> str:
    """The first lines of a unified difference."""
    lines = unified_diff(kept.splitlines(), text.splitlines(), "golden", "generated", lineterm="", n=1)
    return "\n".join(islice(lines, SHOWN_LINES))


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option of the fixture."""
    parser.addoption("--update-golden", action="store_true", help="write the files of tests/golden anew")


@pytest.fixture(scope="session")
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compares texts with the files of tests/golden."""
    return Golden(update=bool(request.config.getoption("--update-golden")))
