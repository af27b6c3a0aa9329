"""Law: the collector gives out every result once, token by token, whatever ops and parts come in a row."""

import subprocess
from pathlib import Path

import pytest

from tests.hls_lib.emulator.network import HLS_LIB, Variant, compile_cpp


@pytest.mark.parametrize("variant", [Variant.FAST, Variant.STRICT])
def test_ops_and_parts_in_any_order(tmp_path: Path, variant: Variant) -> None:
    program = tmp_path / "collected_parts"
    sources = [Path(__file__).with_name("collected_parts.cpp"), *sorted((HLS_LIB / "sim").glob("*.cpp"))]
    compile_cpp(["-O1", *variant.value.split(), *map(str, sources), "-o", str(program)])
    done = subprocess.run([program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
