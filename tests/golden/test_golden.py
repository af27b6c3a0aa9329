"""What the compiler writes is what stands in tests/golden: graph, C++, linker's configuration and report."""

from pathlib import Path

import pytest

from stbuild.frontend.weights import index_of, uses_of
from stbuild.ir.graph import Graph
from stbuild.ir.printer import graph_text
from stbuild.passes.numerics import FixNumerics
from stbuild.passes.pipeline import plan
from stbuild.passes.sizes import SizeOverrides
from tests.accelerator import platform
from tests.golden.designs import Planned, project_graph, traced
from tests.golden_fixture import Golden
from tests.models import decoder, tiny_llama
from tests.module_weights import ModuleWeights
from tests.toolchain.installation import card_data
from tests.toolchain.mock_vitis.connectivity import check
from tests.toolchain.mock_vitis.kernels import described
from tests.toolchain.mock_vitis.options import read_config

CARDS = ("u55c", "u280", "vck5000")
GROUPS = {"smollm2_135m": 32, "llama2_7b": 128, "gpt2_medium": 128}
"""Columns of a weight group: as GGUF's Q4_1 stores them, and as the projects round to."""
CONTEXTS = {"smollm2_135m": 2048, "llama2_7b": 2048, "gpt2_medium": 1024}
"""Positions, as the projects have them."""
FEW = {"channels": 4, "lanes": 2, "chunk": 4}
"""Sizes small enough that the generated C++ can be read."""


@pytest.fixture(scope="module")
def tiny() -> Graph:
    return traced(tiny_llama(), "tiny_llama")


@pytest.fixture(scope="module")
def parallel() -> Graph:
    """Another block: LayerNorm with bias, no rotary embedding, an ungated GELU, one residual for both."""
    model = decoder(norm="layer", bias=True, rotary_dim=0, gated=False, activation="gelu", parallel=True)
    return traced(model, "parallel")


@pytest.fixture(scope="module", params=GROUPS)
def project(request: pytest.FixtureRequest) -> Graph:
    return project_graph(request.param, CONTEXTS[request.param])


def test_the_graph_of_tiny_llama(golden: Golden, tiny: Graph) -> None:
    golden.check("tiny_llama/graph.txt", graph_text(tiny))


def test_the_graph_of_another_block(golden: Golden, parallel: Graph) -> None:
    golden.check("parallel/graph.txt", graph_text(parallel))


def test_the_numerics_of_tiny_llama(golden: Golden, tiny: Graph) -> None:
    golden.check("tiny_llama/fixed.txt", graph_text(Planned.of(tiny, "u55c").graph))


def test_the_cxx_of_tiny_llama(golden: Golden, tiny: Graph) -> None:
    golden.check_folder("tiny_llama/cxx", Planned.of(tiny, "u55c", **FEW).cxx)


def test_the_cxx_of_another_block(golden: Golden, parallel: Graph) -> None:
    planned = Planned.of(parallel, "u55c", **FEW)
    ours = {p.kernel for p in planned.design.processes} - {"control", "router", "sampler"}
    golden.check_folder("parallel/cxx", {f"{k}.cpp": planned.cxx[f"{k}.cpp"] for k in sorted(ours)})


@pytest.mark.parametrize("card", CARDS)
def test_the_cfg_and_report_of_tiny_llama(golden: Golden, tiny: Graph, card: str) -> None:
    planned = Planned.of(tiny, card)
    golden.check(f"tiny_llama/{card}.cfg", planned.cfg)
    golden.check(f"tiny_llama/{card}.report.txt", planned.report)
    assert_links(planned)


@pytest.mark.parametrize("card", CARDS)
def test_the_cfg_and_report_of_a_project(golden: Golden, project: Graph, card: str) -> None:
    planned = Planned.of(project, card, group=GROUPS[project.name])
    golden.check(f"{project.name}/{card}.cfg", planned.cfg)
    golden.check(f"{project.name}/{card}.report.txt", planned.report)
    assert_links(planned)


def test_the_cxx_of_a_project(golden: Golden, project: Graph) -> None:
    planned = Planned.of(project, "u55c", group=GROUPS[project.name])
    golden.check_folder(f"{project.name}/cxx", {n: t for n, t in planned.cxx.items() if n != "system.cpp"})


def assert_links(planned: Planned) -> None:
    """The mock v++ takes the configuration with the kernels of the same design, and joins every stream."""
    texts = {name: text for name, text in planned.cxx.items() if name != "system.cpp"}
    kernels = {
        name.removesuffix(".cpp"): described(name.removesuffix(".cpp"), text) for name, text in texts.items()
    }
    system = check(read_config(planned.cfg, "link"), kernels, card_data(platform(planned.card)))
    assert set(system.units.values()) == set(kernels)
    assert system.clock_mhz == planned.design.sizes.clock_mhz
    assert len(system.streams) == planned.cfg.count("\nsc=")


def test_a_difference_is_shown_with_the_way_to_update() -> None:
    with pytest.raises(pytest.fail.Exception, match="-graph tiny_llama: vocabulary 64") as failed:
        Golden(update=False).check("tiny_llama/graph.txt", "graph other\n")
    assert "pytest --update-golden" in str(failed.value)


def test_an_update_writes_what_is_new_and_removes_what_is_gone(tmp_path: Path) -> None:
    new, kept = Golden(update=True, folder=tmp_path), Golden(update=False, folder=tmp_path)
    new.check_folder("cxx", {"a.cpp": "1\n", "b.cpp": "2\n"})
    kept.check_folder("cxx", {"a.cpp": "1\n", "b.cpp": "2\n"})
    with pytest.raises(pytest.fail.Exception, match=r"nothing generates cxx/b\.cpp any more"):
        kept.check_folder("cxx", {"a.cpp": "1\n"})
    new.check_folder("cxx", {"a.cpp": "1\n"})
    kept.check_folder("cxx", {"a.cpp": "1\n"})
    with pytest.raises(pytest.fail.Exception, match=r"there is no golden file c\.txt"):
        kept.check("c.txt", "")


@pytest.mark.parametrize("size", [1e-3, 1e3])
def test_new_weights_never_change_the_cxx(tiny: Graph, size: float) -> None:
    """Formats follow from the graph: weights of whatever size give the design of synthetic ones."""
    model = tiny_llama()
    for parameter in model.parameters():
        parameter.data.mul_(size)
    fixed = FixNumerics()(tiny)
    index = index_of(fixed, ModuleWeights.of(model, uses_of(fixed, 32)))
    ours = Planned(
        graph=fixed, design=plan(fixed, index, platform("u55c"), SizeOverrides(**FEW)), card="u55c"
    )
    assert ours.cxx == Planned.of(tiny, "u55c", **FEW).cxx
