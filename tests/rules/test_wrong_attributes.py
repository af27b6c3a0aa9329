"""A wrong attribute of a project is refused by analysis, before anything runs, with its line."""

from pathlib import Path

import pytest

from stbuild.engine.graph.label import parse_label
from stbuild.engine.load.analysis import Analysis
from stbuild.engine.load.workspace import default_configuration, find_workspace
from stbuild.errors import StbuildError
from tests.conftest import WorkspaceFolder

GOOD = {"model": "model.py", "context": "16", "new_tokens": "2", "token_prompts": "['1 2 3']"}
IDS = "token_prompts takes token ids, got "
BELOW = "takes 1 or more, or 0 for a default, got -1"
WRONG = [
    ("model", "''", "'' is not a label: its name is empty"),
    ("model", ".", "model takes a Python file, p is a folder"),
    ("model", "/usr", "model takes a Python file, /usr is a folder"),
    ("model", "BUILD.yaml", "model takes a Python file, got BUILD.yaml"),
    ("model", "no.py", "'no.py' is neither a file nor a target"),
    ("srcs", "['']", "'' is not a label: its name is empty"),
    ("srcs", "[no.txt]", "'no.txt' is neither a file nor a target"),
    ("context", "0", "context takes 1 to 32,768 positions, got 0"),
    ("context", "-1", "context takes 1 to 32,768 positions, got -1"),
    ("context", "40000", "context takes 1 to 32,768 positions, got 40,000"),
    ("context", "'16'", "attribute 'context' takes an integer, got '16'"),
    ("merge_lora", "'yes'", "attribute 'merge_lora' takes true or false, got 'yes'"),
    ("weights", "''", "'' is not a label: its name is empty"),
    ("weights", "no.gguf", "'no.gguf' is neither a file nor a target"),
    ("weights", "/no/where", "/no/where does not exist"),
    ("weights", "model.py", "weights with the ending '.py' cannot be read (give a .gguf file, "),
    ("formats", "no.json", "'no.json' is neither a file nor a target"),
    ("formats", "model.py", "formats takes a JSON file, got model.py"),
    ("formats", ".", "formats takes a JSON file, got p"),
    ("group", "33", "group takes 32, 64 or 128, got 33"),
    ("group", "0", "group takes 32, 64 or 128, got 0"),
    ("seed", "1.5", "attribute 'seed' takes an integer, got 1.5"),
    ("system", "Hi", "a system message needs a chat template, and synthetic weights have none"),
    ("prompts", "[Hi]", "prompts need a tokenizer, and synthetic weights have none (give `weights` that"),
    ("token_prompts", "['3 x']", f"{IDS}'3 x' (write ids with spaces between: "),
    ("token_prompts", "['']", f"{IDS}''"),
    ("token_prompts", "['-1']", f"{IDS}'-1'"),
    ("token_prompts", "['1,2']", f"{IDS}'1,2'"),
    ("token_prompts", "['99999999999']", f"{IDS}'99999999999'"),
    ("token_prompts", "[3]", "attribute 'token_prompts' takes a text, got 3; quote it"),
    ("token_prompts", f"['{'1 ' * 16}']", "a prompt of 16 tokens and 2 new ones do not fit a context of 16"),
    ("new_tokens", "0", "new_tokens takes 1 to 16, the context, got 0"),
    ("new_tokens", "900", "new_tokens takes 1 to 16, the context, got 900"),
    ("new_tokens", "15", "a prompt of 3 tokens and 15 new ones do not fit a context of 16 (shorten the"),
    ("channels", "-1", f"channels {BELOW}"),
    ("channels", "33", "channels takes at most 29 on u55c, got 33"),
    ("lanes", "-1", f"lanes {BELOW}"),
    ("lanes", "30", "lanes takes at most the 29 channels, got 30"),
    ("chunk", "-1", f"chunk {BELOW}"),
    ("chunk", "17", "chunk takes at most the context of 16, got 17"),
    ("token_lanes", "-1", f"token_lanes {BELOW}"),
    ("batch", "-1", f"batch {BELOW}"),
    ("clock_mhz", "-1", f"clock_mhz {BELOW}"),
    ("clock_mhz", "501", "clock_mhz takes at most 500 on u55c, got 501 (the shell's fastest"),
    ("depths", "{x: 0}", "depths: x takes 1 word or more, got 0 (leave it out"),
    ("depths", "{x: many}", "attribute 'depths' at 'x' takes an integer, got 'many'"),
    ("token_lanes", "17", "token_lanes takes at most the chunk of 16, got 17"),
    ("batch", "17", "batch takes at most the chunk of 16, got 17"),
]


def analyse(root: Path, label: str) -> None:
    """Analyse a target and all that it depends on."""
    workspace = find_workspace(root)
    analysis = Analysis(workspace=workspace, configuration=default_configuration(workspace, None, None))
    analysis.analyze(parse_label(label, package=""))


def write_project(workspace: WorkspaceFolder, attributes: dict[str, str]) -> None:
    """A project with these attributes, the first on line 3."""
    lines = "".join(f"      {name}: {value}\n" for name, value in attributes.items())
    workspace.write("p/BUILD.yaml", f"targets:\n  - llm_accelerator:\n{lines}")
    workspace.write("p/model.py", "")


@pytest.mark.parametrize(("name", "value", "sentence"), WRONG)
def test_a_wrong_attribute(workspace: WorkspaceFolder, name: str, value: str, sentence: str) -> None:
    attributes = {**{n: v for n, v in GOOD.items() if n != name}, name: value}
    write_project(workspace, attributes)
    with pytest.raises(StbuildError) as found:
        analyse(workspace.root, "//p")
    blamed = "token_prompts" if value == "15" else name
    line = 3 + list(attributes).index(blamed)
    told = str(found.value)
    assert told.startswith(f"p/BUILD.yaml:{line}: ") and sentence in told, told
    assert found.value.exit_code == 2


def test_an_empty_prompt_beside_weights(workspace: WorkspaceFolder) -> None:
    write_project(workspace, {**GOOD, "prompts": "['Hi', ' ']", "weights": "w.gguf"})
    workspace.write("p/w.gguf", "")
    with pytest.raises(StbuildError, match=r"p/BUILD.yaml:7: //p:smoke: prompts holds an empty text"):
        analyse(workspace.root, "//p")


def test_more_token_lanes_than_a_batch(workspace: WorkspaceFolder) -> None:
    write_project(workspace, {**GOOD, "batch": "8", "token_lanes": "9"})
    with pytest.raises(StbuildError, match="token_lanes takes at most the batch of 8, got 9"):
        analyse(workspace.root, "//p")


def test_right_attributes(workspace: WorkspaceFolder) -> None:
    sizes = {"channels": "2", "lanes": "1", "chunk": "16", "token_lanes": "16", "new_tokens": "14"}
    write_project(workspace, {**GOOD, **sizes, "group": "32", "seed": "-3"})
    analyse(workspace.root, "//p")
    analyse(workspace.root, "//p:cycles")


@pytest.mark.parametrize(
    ("attributes", "sentence"),
    [
        ("", "accuracy is measured on real weights, and these are synthetic"),
        (", tokens: 0", "tokens takes 2 or more, got 0"),
        (", window: -1", "window takes 2 or more, got -1"),
    ],
)
def test_accuracy(workspace: WorkspaceFolder, attributes: str, sentence: str) -> None:
    weights = ", weights: w.gguf" if attributes else ""
    workspace.build_file(
        "p",
        f"llm_accelerator: {{model: model.py{weights}}}",
        f"accuracy: {{name: accuracy, trace: ':trace', weights: ':weights'{attributes}}}",
    )
    workspace.write("p/model.py", "")
    workspace.write("p/w.gguf", "")
    with pytest.raises(StbuildError, match=sentence) as found:
        analyse(workspace.root, "//p:accuracy")
    assert str(found.value).startswith("p/BUILD.yaml:3: ")


def test_cycles_of_a_context_of_one(workspace: WorkspaceFolder) -> None:
    write_project(workspace, {"model": "model.py", "context": "1", "new_tokens": "1"})
    with pytest.raises(StbuildError, match="cycles need a context of 2 or more: a prompt, and a token"):
        analyse(workspace.root, "//p:cycles")
