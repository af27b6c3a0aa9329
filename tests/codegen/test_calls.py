"""The names beside template arguments in generated C++ are those of hls_lib's parameters."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GENERATED = sorted((ROOT / "tests/golden").glob("*/cxx/*.cpp"))
_TEMPLATE = re.compile(r"template <([^>]*)>\s*void (\w+)\(")
_CALL = re.compile(r"stb::(\w+)<([^>]*/\*[^>]*)>\(")


def parameters() -> dict[str, set[tuple[str, ...]]]:
    """From each process of hls_lib to the names of its template parameters; types are none of them.

    Those with a default may be left out.
    """
    found: dict[str, set[tuple[str, ...]]] = {}
    for header in (ROOT / "hls_lib/include/stb").glob("*.hpp"):
        for listed, name in _TEMPLATE.findall(header.read_text()):
            values = [each for each in listed.split(",") if "typename" not in each or "BLOCKS" in each]
            names = tuple(each.split("=")[0].split()[-1] for each in values)
            given = sum("=" not in each for each in values)
            found.setdefault(name, set()).update(names[:count] for count in range(given, len(names) + 1))
    return found


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_the_names_are_those_of_the_parameters(path: Path) -> None:
    known = parameters()
    for function, arguments in _CALL.findall(path.read_text()):
        names = tuple(dict.fromkeys(re.findall(r"/\*(\w+)=\*/", arguments)))
        assert names in known[function], function


def test_there_are_calls_to_look_at() -> None:
    assert sum(len(_CALL.findall(path.read_text())) for path in GENERATED) > 20
