"""Which function of hls_lib a process runs, and so which twin confirms its cycles."""

from stbuild.chain.functions import process_functions
from stbuild.timing.twins import confirmed_functions
from tests.golden.designs import Planned, project_graph


def test_every_process_of_a_design_has_a_function() -> None:
    functions = process_functions(Planned.of(project_graph("smollm2_135m"), "u55c").design)
    assert functions["router.collect"] == "collect"
    assert functions["control.read_weights_0"] == "read_weights"
    assert {"norm", "rotary", "quantize", "add", "mul", "map", "mac_lane", "fork"} <= set(functions.values())


def test_a_norm_with_a_mean_is_another_process() -> None:
    functions = set(process_functions(Planned.of(project_graph("gpt2_medium", 1024), "u55c").design).values())
    assert "centred norm" in functions
    assert confirmed_functions()["centred norm"] == "norm_twin"
