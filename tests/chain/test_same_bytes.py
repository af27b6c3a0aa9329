"""Two builds from nothing give the same bytes, and what was measured is read by no action."""

import json
from pathlib import Path

import pytest

from tests.conftest import WorkspaceFolder

LONG_S = 600
MEASURED = "mine/smoke/measured.json"
MODEL = """
from torch import nn
from torch.nn.functional import relu


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.up, self.down = nn.RMSNorm(64), nn.Linear(64, 64), nn.Linear(64, 64)

    def forward(self, x):
        return x + self.down(relu(self.up(self.norm(x))))


class Mine(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(256, 64)
        self.layers = nn.ModuleList(Layer() for _ in range(2))
        self.head = nn.Linear(64, 256, bias=False)

    def forward(self, input_ids, position_ids, cache, attention_mask):
        x = self.embed(input_ids)
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


def model():
    return Mine()
"""


def project(folder: Path) -> WorkspaceFolder:
    """A tiny project with a cache of its own."""
    space = WorkspaceFolder(root=folder / "workspace", cache=folder / "cache")
    space.write("pyproject.toml", "[tool.stbuild]\n")
    space.write("mine/model.py", MODEL)
    sizes = "channels: 2, lanes: 1, chunk: 4, context: 32, group: 32, new_tokens: 3"
    space.build_file("mine", f"llm_accelerator: {{model: model.py, {sizes}}}")
    return space


def files_of(space: WorkspaceFolder) -> dict[str, bytes]:
    """Every file of the build but the measured one, which must be there."""
    root = space.output("")
    found = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert json.loads(found.pop(MEASURED))["speed"]
    return found


def ran(space: WorkspaceFolder) -> set[str]:
    """What kinds of action the last build ran."""
    return {event["mnemonic"].split()[0] for event in space.events() if event["event"] == "action_finished"}


@pytest.fixture(scope="module")
def spaces(tmp_path_factory: pytest.TempPathFactory) -> tuple[WorkspaceFolder, WorkspaceFolder]:
    """The same project, built in two folders from empty caches."""
    one, two = (project(tmp_path_factory.mktemp(name)) for name in ("one", "another"))
    for space in (one, two):
        told = space.ok("mine", timeout_s=LONG_S).out
        assert "check: bit-exact with the PyTorch reference" in told
        assert " tok/s decode, measured on the emulated u55c on this host when it last ran" in told
    return one, two


def test_two_builds_give_the_same_bytes(spaces: tuple[WorkspaceFolder, WorkspaceFolder]) -> None:
    one, two = map(files_of, spaces)
    assert sorted(one) == sorted(two)
    assert [name for name in one if one[name] != two[name]] == []


def test_no_action_reads_what_was_measured(spaces: tuple[WorkspaceFolder, WorkspaceFolder]) -> None:
    rows = json.loads(spaces[0].ok("aquery", "//...", "--deps", "--json").out)
    assert [row["id"] for row in rows if "out/measured.json" in row["outputs"]] == ["//mine:smoke#Smoke"]
    assert [row["id"] for row in rows if any(MEASURED in each for each in row["inputs"])] == []


def test_another_image_with_the_same_tokens_asks_no_reference(
    spaces: tuple[WorkspaceFolder, WorkspaceFolder],
) -> None:
    space = spaces[1]
    told = space.ok("mine", "--set", "//mine:partition.chunk=2", timeout_s=LONG_S).out
    assert "check: bit-exact" in told and " tok/s decode" in told
    assert "Smoke" in ran(space) and "Package" in ran(space)
    assert ran(space).isdisjoint({"Reference", "Deploy"})
