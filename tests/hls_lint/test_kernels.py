"""The kernels that the projects generate have no finding: what `make hls-lint` runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from hls_lint.__main__ import lint

ROOT = Path(__file__).parents[2]
PROJECTS = ("smollm2_135m", "llama2_7b", "gpt2_medium")


@pytest.mark.parametrize("project", PROJECTS)
def test_a_project_has_no_finding(project: str) -> None:
    kernels = sorted((ROOT / "tests/golden" / project / "cxx").glob("*.cpp"))
    assert len(kernels) > 5
    assert {f"{f.at}: {f.text}": names for f, names in lint(kernels).items()} == {}


def test_lanes_that_take_zero_points_have_no_finding(tmp_path: Path) -> None:
    for kernel in (ROOT / "tests/golden/llama2_7b/cxx").glob("matmul*.cpp"):
        text, count = re.subn(
            r"(mac_lane<(?:\d+, ){4}\d+)(, \d+)?>", r"\1, 1, /*ZERO_POINTS=*/true>", kernel.read_text()
        )
        assert count > 1
        (tmp_path / kernel.name).write_text(text)
    assert lint(sorted(tmp_path.glob("*.cpp"))) == {}


def test_a_finding_fails_the_command(tmp_path: Path) -> None:
    """A header as it was: a division in the pipeline of every quantiser."""
    include = tmp_path / "hls_lib/include"
    (include / "stb").mkdir(parents=True)
    for header in (ROOT / "hls_lib/include/stb").glob("*.hpp"):
        text = header.read_text().replace("return (n * 2164392969u) >> 38;", "return n / 127;")
        (include / "stb" / header.name).write_text(text)
    kernels = sorted((ROOT / "tests/golden/smollm2_135m/cxx").glob("*.cpp"))
    found = lint(kernels, include)
    assert {f.text.partition(":")[0] for f in found} == {
        "64-bit / by 127 in the pipeline quantize_groups",
        "64-bit / by 127 in the pipeline take_words",
    }


def test_the_command_prints_findings_and_fails(tmp_path: Path) -> None:
    kernel = tmp_path / "kernel.cpp"
    kernel.write_text(
        '#include "stb/stream.hpp"\n'
        "void idle(stb::Port<stb::Word>& x) { for (int i = 0; i < 9; ++i) { STB_PIPELINE(1) x.read(); } }\n"
        'extern "C" void kernel(stb::Port<stb::Word>& x) { STB_CALL(idle, (idle(x))) }\n'
    )
    argv = [sys.executable, "-m", "hls_lint", str(kernel)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("kernel.cpp:2: entry: kernel.cpp:2 is entered without STB_ENTER")
    assert done.stdout.rstrip().endswith("[kernel.idle]")
    assert done.stderr == "findings: 1, kernels: 1\n"
