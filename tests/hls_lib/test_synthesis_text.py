"""What hls_lib hands to synthesis once macros are gone: known pragmas, nothing that v++ cannot build."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hls_lib.single import HLS_LIB
from tests.hls_lib.synthesis_branch import check_files, preprocessed

HEADERS = sorted((HLS_LIB / "include/stb").glob("*.hpp"))
NUMBER = r"[\w:]+"
PRAGMAS = (
    rf"PIPELINE II = {NUMBER}( style = flp)?",
    "UNROLL",
    "INLINE",
    r"ARRAY_PARTITION variable = [\w.]+ dim = \d",
    r"BIND_STORAGE variable = [\w.]+ type = (ram_2p impl = (bram|uram|lutram)|rom_np)",
    r"BIND_OP variable = \w+ op = mul impl = (dsp|fabric)",
    "EXPRESSION_BALANCE off",
    r"DEPENDENCE variable = [\w.]+ type = inter dependent = false",
    rf"DEPENDENCE variable = [\w.]+ type = inter direction = RAW distance = {NUMBER} dependent = true",
    r"STREAM variable = \w+ depth = \d+",
)
"""As AMD UG1399 writes them."""
REFUSED = re.compile(
    r"\b(new|delete|malloc|free|float|double|__int128|throw|try|virtual|dynamic_cast|reinterpret_cast|goto|asm"
    r"|thread_local|volatile|std::(?!u?int\d+_t\b)\w+)\b|\bstatic (?!const |inline )(?=[^()]*;)"
)
"""No heap, no floating point, no exceptions, no pointers of other types, no state that outlives a call."""


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with all headers of hls_lib and a FIFO."""
    source = tmp_path_factory.mktemp("all") / "all.cpp"
    includes = [f'#include "stb/{h.name}"' for h in HEADERS]
    source.write_text("\n".join([*includes, "void f() { STB_FIFO(stb::Word, one_y, 36) }", ""]))
    return source


@pytest.fixture(scope="module")
def own_lines(everything: Path) -> list[str]:
    """Its lines that are ours, as the compiler gets them for synthesis."""
    return list(_own(preprocessed(everything), (str(HLS_LIB), str(everything))))


def _own(text: str, folders: tuple[str, ...]) -> Iterator[str]:
    """The lines that come from files in `folders`, by the preprocessor's line markers."""
    own = False
    for line in text.splitlines():
        if marker := re.match(r'# \d+ "([^"]+)"', line):
            own = marker[1].startswith(folders)
        elif own and line.strip():
            yield line.strip()


def test_all_headers_go_together(everything: Path) -> None:
    check_files([everything])


def test_every_pragma_is_one_that_vitis_knows(own_lines: list[str]) -> None:
    pragmas = [line.removeprefix("#pragma HLS ") for line in own_lines if line.startswith("#pragma HLS")]
    unknown = [p for p in pragmas if not any(re.fullmatch(known, p) for known in PRAGMAS)]
    assert unknown == []
    seen = {known for p in pragmas for known in PRAGMAS if re.fullmatch(known, p)}
    assert seen == set(PRAGMAS)


def test_the_library_is_made_of_what_synthesis_can_build(own_lines: list[str]) -> None:
    assert len(own_lines) > 1000
    assert [line for line in own_lines if REFUSED.search(line)] == []


@pytest.mark.parametrize(
    "line",
    ["int* p = new int[4];", "double x = 0;", "std::vector<int> v;", "static int count = 0;", "throw 1;"],
)
def test_what_synthesis_refuses_is_found(line: str) -> None:
    assert REFUSED.search(line)


@pytest.mark.parametrize(
    "line",
    [
        "std::int64_t sum = 0;",
        "static const int32_t kPower[65] = {",
        "static Word read(int index) { return w; }",
    ],
)
def test_what_synthesis_takes_is_left_alone(line: str) -> None:
    assert not REFUSED.search(line)


def test_line_markers_tell_ours_from_theirs(tmp_path: Path) -> None:
    text = (
        '# 1 "/theirs/a.h" 1\nint theirs;\n# 1 "/ours/b.hpp" 1\nint ours;\n# 2 "/theirs/a.h" 2\nint again;\n'
    )
    assert list(_own(text, ("/ours",))) == ["int ours;"]
