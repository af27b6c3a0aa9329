"""nightly.yaml: what it says, and each mistake in it with its line."""

from pathlib import Path

import pytest

from stbuild.engine.load.workspace import find_workspace
from stbuild.errors import StbuildError
from stbuild.nightly.plan import Limit, Plan
from stbuild.nightly.plan_file import read_plan
from stbuild.nightly.values import Cell, Figure
from tests.conftest import CHECKOUT, WorkspaceFolder

GOOD = "matrix:\n  - {project: projects/x, platform: [u55c, u280]}\n"


@pytest.fixture
def projects(workspace: WorkspaceFolder) -> WorkspaceFolder:
    """A workspace with two projects."""
    for name in ("x", "y"):
        workspace.build_file(f"projects/{name}", "genrule: {name: a, outs: [a], cmd: 'touch $@'}")
    return workspace


def read(workspace: WorkspaceFolder, text: str) -> Plan:
    """The plan of a file with this text."""
    return read_plan(workspace.write("nightly.yaml", text), find_workspace(workspace.root))


def test_a_matrix_is_all_combinations(projects: WorkspaceFolder) -> None:
    plan = read(
        projects,
        "matrix:\n"
        "  - project: [projects/x, projects/y]\n    platform: [u55c, u280]\n    device: [native, 'xrt:0']\n"
        "  - {project: projects/x, platform: vck5000, target: hw, device: 'xrt:1'}\n"
        "measure: {repeats: 7, prompt_tokens: [1, 2], launch_limit_s: 3}\n"
        "limits:\n  kl: {max: 0.01}\n  tokens_per_s@64: {min: 5}\n  tokens_per_s: {min: 4, max: 400}\n"
        "results: nights/of/lab\n",
    )
    assert len(plan.matrix) == 9
    assert plan.matrix[0] == Cell(project="projects/x", platform="u55c", target="sw_emu", device="native")
    assert plan.matrix[-1].target == "hw"
    assert (plan.measure.repeats, plan.measure.prompt_tokens, plan.measure.new_tokens) == (7, (1, 2), 16)
    assert plan.measure.launch_limit_s == 3.0
    assert plan.results == "nights/of/lab"
    assert plan.limit(Figure(name="tokens_per_s@64", value=1, unit="")) == Limit(min=5)
    assert plan.limit(Figure(name="tokens_per_s@8", value=1, unit="")) == Limit(min=4, max=400)
    assert plan.limit(Figure(name="top1", value=1, unit="")) is None


def test_the_digest_follows_the_text(projects: WorkspaceFolder) -> None:
    assert read(projects, GOOD).digest != read(projects, f"{GOOD}# more\n").digest


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "nightly.yaml: the file is empty; it needs `matrix:`"),
        ("a: [\n", "nightly.yaml:2: not YAML: "),
        ("- 1\n", "nightly.yaml:1: nightly.yaml is a map"),
        ("measure: {}\n", "nightly.yaml:1: there is no `matrix:`"),
        ("matrix: []\n", "nightly.yaml:1: `matrix:` takes a list of maps"),
        (f"{GOOD}matrx: 1\n", "nightly.yaml:3: nightly.yaml has no key 'matrx' (did you mean 'matrix'?)"),
        (f"{GOOD}matrix: []\n", "nightly.yaml:3: 'matrix' is given twice"),
        ("matrix:\n  - project: projects/x\n", "nightly.yaml:2: an entry of `matrix:` needs `platform:`"),
        (
            "matrix:\n  - project: projects/xx\n    platform: u55c\n",
            "nightly.yaml:2: there is no project 'projects/xx': projects/xx/BUILD.yaml does not exist "
            "(did you mean 'projects/x'?)",
        ),
        ("matrix:\n  - {project: ../x, platform: u55c}\n", "nightly.yaml:2: the project '../x' "),
        (
            "matrix:\n  - project: projects/x\n    platform: [u55c, u28]\n",
            "nightly.yaml:3: there is no platform 'u28' (did you mean 'u280'?)",
        ),
        (
            "matrix:\n  - {project: projects/x, platform: u55c,\n     target: hardware}\n",
            "nightly.yaml:3: there is no target 'hardware'",
        ),
        (
            "matrix:\n  - {project: projects/x, platform: u55c,\n     device: card}\n",
            "nightly.yaml:3: there is no device 'card' (`native`, `xrt:0`",
        ),
        ("matrix:\n  - {project: projects/x, platform: []}\n", "needs `platform:`"),
        (
            "matrix:\n  - {project: projects/x, platform: u55c}\n  - {project: projects/x, platform: u55c}\n",
            "nightly.yaml:3: projects/x u55c sw_emu native is in the matrix twice",
        ),
        (f"{GOOD}measure: {{repeats: many}}\n", "nightly.yaml:3: repeats takes an integer, got 'many'"),
        (f"{GOOD}measure: {{repeats: 0}}\n", "nightly.yaml:3: repeats takes numbers of 1 or more, got 0"),
        (f"{GOOD}measure:\n  prompt_tokens: []\n", "nightly.yaml:4: prompt_tokens needs a length or more"),
        (f"{GOOD}measure: {{wait_s: .inf}}\n", "nightly.yaml:3: wait_s takes numbers of 0 or more, got inf"),
        (f"{GOOD}measure: {{repeat: 1}}\n", "measure has no key 'repeat' (did you mean 'repeats'?)"),
        (
            f"{GOOD}limits:\n  token_per_s: {{min: 1}}\n",
            "nightly.yaml:4: there is no figure 'token_per_s' (did you mean 'tokens_per_s'?)",
        ),
        (f"{GOOD}limits:\n  kl: {{}}\n", "nightly.yaml:4: kl has neither min nor max"),
        (f"{GOOD}limits:\n  kl: 3\n", "nightly.yaml:4: the limit of kl is a map"),
        (f"{GOOD}results: /tmp\n", "nightly.yaml:3: `results:` is a folder below the workspace"),
    ],
)
def test_a_mistake_is_told_with_its_line(projects: WorkspaceFolder, text: str, told: str) -> None:
    with pytest.raises(StbuildError) as error:
        read(projects, text)
    assert told in str(error.value)
    assert error.value.exit_code == 2


def test_on_the_command_line_too(projects: WorkspaceFolder) -> None:
    assert "nightly.yaml does not exist (`stbuild init --nightly` writes one)" in projects.fails("nightly")
    projects.write("nightly.yaml", "matrix: 3\n")
    assert "nightly.yaml:1: `matrix:` takes a list of maps" in projects.fails("nightly")


def test_init_writes_a_plan_that_can_be_read(projects: WorkspaceFolder) -> None:
    assert "no package of" in projects.fails("init", "--nightly")
    projects.write("projects/z/model.py", "def model(): ...\n")
    projects.build_file("projects/z", "llm_accelerator: {model: model.py}")
    assert "now: stbuild nightly" in projects.ok("init", "--nightly").out
    plan = read_plan(projects.root / "nightly.yaml", find_workspace(projects.root))
    assert [str(cell) for cell in plan.matrix] == ["projects/z u55c sw_emu native"]
    assert not plan.limits  # a limit whose figure no project has would be told each night
    text = (projects.root / "nightly.yaml").read_text()
    assert len(read(projects, text.replace("# limits", "limits").replace("#   ", "  ")).limits) == 2
    assert "nightly-results/" in (projects.root / ".gitignore").read_text().split()
    assert "is there already" in projects.fails("init", "--nightly")


def test_the_plan_of_the_documentation_can_be_read(workspace: WorkspaceFolder) -> None:
    text = (CHECKOUT / "docs/nightly.md").read_text()
    example = text.partition("```yaml\n")[2].partition("```")[0]
    for name in ("smollm2_135m", "llama2_7b"):
        workspace.build_file(f"projects/{name}", "genrule: {name: a, outs: [a], cmd: 'touch $@'}")
    assert len(read(workspace, example).matrix) == 7


def test_a_plan_that_is_no_text(projects: WorkspaceFolder) -> None:
    path: Path = projects.root / "nightly.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StbuildError, match="not UTF-8 text"):
        read_plan(path, find_workspace(projects.root))
