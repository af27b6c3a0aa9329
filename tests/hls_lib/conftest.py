"""The compiled images of single operators, one per session and mode."""

import pytest

from tests.hls_lib.operators import OPERATORS, PRELUDE
from tests.hls_lib.single import Emulator, Image, build_emulator, build_image


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Emulator:
    return build_emulator(tmp_path_factory.mktemp("emulator"))


@pytest.fixture(scope="session")
def strict_emulator(tmp_path_factory: pytest.TempPathFactory) -> Emulator:
    """The strict mode, in which pipelines that stall hold back their last outputs."""
    return build_emulator(tmp_path_factory.mktemp("strict_emulator"), ["-DSTB_STRICT", "-O1"])


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory, emulator: Emulator) -> Image:
    """Every operator of the tests, as the product compiles it."""
    return build_image(OPERATORS, tmp_path_factory.mktemp("image"), emulator, PRELUDE)


@pytest.fixture(scope="session")
def strict_image(tmp_path_factory: pytest.TempPathFactory, strict_emulator: Emulator) -> Image:
    """The same in the strict mode."""
    return build_image(OPERATORS, tmp_path_factory.mktemp("strict"), strict_emulator, PRELUDE)
