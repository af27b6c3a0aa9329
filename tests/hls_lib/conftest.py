"""The compiled images of single operators, one per session and mode."""

import pytest

from tests.hls_lib.operators import OPERATORS, PRELUDE
from tests.hls_lib.single import Image, build_image


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Every operator of the tests, as the product compiles it."""
    return build_image(OPERATORS, tmp_path_factory.mktemp("image"), prelude=PRELUDE)


@pytest.fixture(scope="session")
def strict_image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The same in the strict mode for pipelines that stall."""
    flags = ["-O1", "-DSTB_STRICT"]
    return build_image(OPERATORS, tmp_path_factory.mktemp("strict"), prelude=PRELUDE, flags=flags)
