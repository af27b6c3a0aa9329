"""The processes of all twins in one timed image, and Verilator's own C++, once a session."""

from pathlib import Path

import pytest

from benchmarks.twins.cases import CASES
from benchmarks.twins.timed import TimedImage
from benchmarks.twins.verilated import MISSING, compile_runtime, verilator


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> TimedImage:
    prelude = "\n".join(dict.fromkeys(case.prelude for case in CASES))
    return TimedImage([case.process for case in CASES], tmp_path_factory.mktemp("timed"), prelude)


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if verilator() is None:
        pytest.skip(MISSING)
    return compile_runtime(tmp_path_factory.mktemp("verilated"))
