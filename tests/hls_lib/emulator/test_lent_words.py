"""Law: a launch with lent memory ends as one whose words are copied, also where it deadlocks or stops."""

import subprocess
from pathlib import Path

from tests.hls_lib.emulator.network import HLS_LIB, compile_cpp

CHECKED = ("-O1", "-DSTB_TRACE", "-fsanitize=address", "--param=asan-stack=0")
"""Not the stacks: those of fibers are used again by others."""


def test_lent_and_copied_words_are_one(tmp_path: Path) -> None:
    """Under AddressSanitizer: nothing is used that a launch has given back."""
    program = tmp_path / "lent_words"
    sources = [Path(__file__).with_name("lent_words.cpp"), *sorted((HLS_LIB / "sim").glob("*.cpp"))]
    compile_cpp([*CHECKED, *map(str, sources), "-o", str(program)])
    options = {"ASAN_OPTIONS": "detect_leaks=0"}
    done = subprocess.run([program], env=options, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
