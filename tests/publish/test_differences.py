"""What is told of two contents that differ."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from stbuild.package import xclbin
from stbuild.publish.differences import differences
from tests.publish.sample import manifest
from tests.runtime.conftest import sample_xclbin


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, ["/a/b/1: published 2, rebuilt 3"]),
        ({"a": 1}, {"b": 1}, ["/a is only in the published one", "/b is only in the rebuilt one"]),
        ([1], [1, 2], ["/: published [1], rebuilt [1, 2]"]),
        ({"a": 1}, 3, ['/: published {"a": 1}, rebuilt 3']),
    ],
)
def test_json(old: object, new: object, lines: list[str]) -> None:
    assert differences(json.dumps(old).encode(), json.dumps(new).encode()) == lines


def test_json_with_another_layout_is_compared_as_text() -> None:
    assert differences(b'{"a":1}', b'{"a": 1}') == ["@@ -1 +1 @@", '-{"a":1}', '+{"a": 1}']


def test_text() -> None:
    old, new = "int a;\nint b;\n", "int a;\nint c;\n"
    assert differences(old.encode(), new.encode()) == ["@@ -2 +2 @@", "-int b;", "+int c;"]


def test_many_differences_are_cut_short() -> None:
    old = json.dumps({str(n): n for n in range(9)}).encode()
    new = json.dumps({str(n): -n - 1 for n in range(9)}).encode()
    assert len(differences(old, new)) == 5
    assert differences(old, new)[-1] == "…"


def test_bytes() -> None:
    old, new = b"\xff\0\0\0", b"\xff\0\1\0"
    assert differences(old, new) == ["1 of 4 bytes, from 0x2 on: 0000 is now 0100"]
    assert differences(old, old + b"\0") == ["published 4 bytes, rebuilt 5; the first other byte is 0x4"]


def test_bytes_that_happen_to_be_text_steer_no_terminal() -> None:
    assert differences(b"\1\0\2", b"\1\0\3") == ["1 of 3 bytes, from 0x2 on: 02 is now 03"]
    assert differences(b"a", b"\x1b[31mb\tc") == ["@@ -1 +1 @@", "-a", "+?[31mb\tc"]


def test_an_xclbin_is_told_by_section() -> None:
    chosen = manifest(64)
    one, other = (xclbin.encode(sample_xclbin(image, chosen)) for image in (b"\xff\0", b"\xff\1"))
    assert "1 of 2 bytes, from 0x1 on: 00 is now 01" in "\n".join(differences(one, other))
    assert all(line.startswith("section ") for line in differences(one, other))
    slower = xclbin.encode(replace(sample_xclbin(b"\xff\0", chosen), clock_mhz=200))
    assert any("CLOCK" in line for line in differences(one, slower))


def test_an_elf_file_is_told_by_section(tmp_path: Path) -> None:
    images = []
    for name, value in (("a", 1), ("b", 2)):
        source = tmp_path / f"{name}.c"
        source.write_text(f"const int answer = {value};\n")
        out = tmp_path / f"{name}.o"
        subprocess.run(["gcc", "-c", "-x", "c", "-", "-o", out], input=source.read_bytes(), check=True)
        images.append(out.read_bytes())
    assert differences(*images) == [".rodata: 1 of 4 bytes, from 0x0 on: 01000000 is now 02000000"]
    assert "bytes" in differences(images[0][:100], images[1][:90])[0]
