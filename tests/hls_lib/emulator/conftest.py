"""Networks of these tests, each compiled once per session and variant."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.hls_lib.emulator.network import Network, Variant, compile_runtime, link_network

BuildNetwork = Callable[[str, Variant], Network]
BuildFiles = Callable[[tuple[Path, ...], Variant], Network]
CompileRuntime = Callable[[Variant], list[Path]]


@pytest.fixture(scope="session")
def compile_sim(tmp_path_factory: pytest.TempPathFactory) -> CompileRuntime:
    """Compile the emulator itself."""
    return cache(lambda variant: compile_runtime(tmp_path_factory.mktemp("runtime"), variant))


@pytest.fixture(scope="session")
def build_files(tmp_path_factory: pytest.TempPathFactory, compile_sim: CompileRuntime) -> BuildFiles:
    """Compile C++ files to a network."""

    @cache
    def build(sources: tuple[Path, ...], variant: Variant) -> Network:
        return link_network(sources, compile_sim(variant), tmp_path_factory.mktemp("network"), variant)

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
