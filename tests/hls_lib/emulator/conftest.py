"""Networks of these tests, each compiled once per session and variant."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.hls_lib.emulator.network import Network, Variant, compile_runtime, link_network

BuildNetwork = Callable[[str, Variant], Network]
BuildFiles = Callable[[tuple[Path, ...], Variant], Network]


@pytest.fixture(scope="session")
def build_files(tmp_path_factory: pytest.TempPathFactory) -> BuildFiles:
    """Compile C++ files to a network."""

    @cache
    def runtime(variant: Variant) -> list[Path]:
        return compile_runtime(tmp_path_factory.mktemp("runtime"), variant)

    @cache
    def build(sources: tuple[Path, ...], variant: Variant) -> Network:
        return link_network(sources, runtime(variant), tmp_path_factory.mktemp("network"), variant)

    return build


@pytest.fixture(scope="session")
def build_network(build_files: BuildFiles, tmp_path_factory: pytest.TempPathFactory) -> BuildNetwork:
    """Compile the text of a C++ file to a network."""

    @cache
    def write(source: str) -> Path:
        path = tmp_path_factory.mktemp("source") / "network.cpp"
        path.write_text(source)
        return path

    return lambda source, variant: build_files((write(source),), variant)
