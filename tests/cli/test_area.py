"""What a design takes of the card is printed, and depths set by hand are kept or refused by name."""

import json
from pathlib import Path

import pytest

from stbuild.ops.add import Add
from stbuild.ops.files import read_design
from stbuild.ops.fork import Fork
from tests.cli.test_bad_models import TINY
from tests.conftest import WorkspaceFolder

LONG_S = 300
MODEL = "model: model.py, context: 16, new_tokens: 2, channels: 4, lanes: 2, token_lanes: 1"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> WorkspaceFolder:
    """A workspace with one small model, partitioned."""
    root = tmp_path_factory.mktemp("area")
    workspace = WorkspaceFolder(root=root, cache=tmp_path_factory.mktemp("cache"))
    workspace.write("pyproject.toml", "[tool.stbuild]\n")
    workspace.write("tiny/model.py", TINY.lstrip())
    with_attributes(workspace, "")
    workspace.ok("tiny:partition", timeout_s=LONG_S)
    return workspace


def with_attributes(workspace: WorkspaceFolder, more: str) -> None:
    workspace.build_file("tiny", f"llm_accelerator: {{{MODEL}{more}}}")


def residual(design: Path) -> str:
    """The stream in which a fork keeps a value for an addition behind the engine."""
    found = read_design(design)
    op = {p.name: p.op for p in found.processes}
    kept = (s for s in found.streams if isinstance(op[s.source], Fork) and isinstance(op[s.sink], Add))
    return next(kept).name


def test_the_table_and_the_data(tiny: WorkspaceFolder) -> None:
    with_attributes(tiny, "")
    table = tiny.ok("run", "tiny:resources", timeout_s=LONG_S).out
    assert table.startswith("resources of tiny on AMD Alveo U55C")
    assert "judgement: fits the card; the fullest is " in table
    data = json.loads(tiny.output("tiny/partition/resources.json").read_text())
    assert data["fits"] is True
    assert data["judgement"] in table
    assert {use["place"] for use in data["uses"]} >= {"SLR0", "SLR1", "SLR2", "SLR0-1", "SLR1-2"}
    assert f"area: {data['judgement']}" in tiny.ok("tiny:partition", timeout_s=LONG_S).out
    assert data["judgement"] in tiny.output("tiny/partition/report.txt").read_text()


def test_a_depth_by_hand(tiny: WorkspaceFolder) -> None:
    with_attributes(tiny, "")
    tiny.ok("tiny:partition", timeout_s=LONG_S)
    stream = residual(tiny.output("tiny/partition/design.json"))
    with_attributes(tiny, f", depths: {{{stream}: 777}}, clock_mhz: 200")
    tiny.ok("tiny:partition", timeout_s=LONG_S)
    design = read_design(tiny.output("tiny/partition/design.json"))
    assert design.stream(stream).depth == 777
    assert design.sizes.clock_mhz == 200
    with_attributes(tiny, f", depths: {{{stream}: 1}}")
    told = tiny.fails("tiny:partition", code=1)
    (sentence,) = [line for line in told.splitlines() if f"depths: with 1 word in {stream} " in line]
    assert "tiny hangs in a launch of " in sentence
    assert "; give it more words, or leave it to the compiler: " in sentence
    with_attributes(tiny, f", depths: {{{stream}: 0}}")
    told = tiny.fails("tiny:partition")
    assert f"tiny/BUILD.yaml:2: //tiny:partition: depths: {stream} takes 1 word or more, got 0" in told
    with_attributes(tiny, f", depths: {{{stream}x: 64}}")
    assert f"depths: tiny has no stream '{stream}x' (did you mean '{stream}'?)" in tiny.fails(
        "tiny:partition", code=1
    )
