"""`stbuild init --model`: from a model on disk to a project that builds."""

import json
from pathlib import Path

import pytest
from transformers import AutoConfig, PreTrainedModel

from stbuild.frontend.model_file import load_model
from stbuild.library.project import make_project
from tests.conftest import WorkspaceFolder
from tests.models import tiny_llama
from tests.reference.conftest import PROJECT, smollm2_gguf  # noqa: F401  # a fixture


@pytest.fixture
def outside(tmp_path: Path) -> WorkspaceFolder:
    """A folder that is no workspace, with a saved model in it."""
    (tmp_path / "somewhere").mkdir()
    tiny_llama(max_position_embeddings=32).save_pretrained(tmp_path / "somewhere/Tiny-Llama")
    return WorkspaceFolder(root=tmp_path / "somewhere", cache=tmp_path / "cache")


def test_a_folder_becomes_a_project(outside: WorkspaceFolder) -> None:
    """That it builds is tested with the library, where the model is compiled anyhow."""
    told = outside.ok("init", "new", "--model", "Tiny-Llama").out
    assert told == "made new/pyproject.toml and new/tiny_llama; now: cd new && stbuild tiny_llama\n"
    again = outside.fails("init", "--model", "../Tiny-Llama", cwd="new")
    assert again.startswith("error: tiny_llama is there already (remove it, or give the project another name")
    told = outside.ok("init", "--model", "../Tiny-Llama", "--name", "other", cwd="new").out
    assert told == "made other; now: stbuild other\n"
    assert "//other:trace" in outside.ok("query", "//other/...", cwd="new").out


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (("--model", "nowhere"), "there is no model at "),
        (("--model", "Tiny-Llama", "--name", "../x"), "--name '../x' has the part '..'"),
        (("--model", "Tiny-Llama", "--name", ""), "--name '' is empty (use letters, digits and _)"),
        (("--name", "x"), "--name is the name of a project for --model (give --model too)"),
    ],
)
def test_what_is_refused(outside: WorkspaceFolder, argv: tuple[str, ...], sentence: str) -> None:
    assert sentence in outside.fails("init", *argv)
    assert not (outside.root / "pyproject.toml").exists()


def test_a_model_without_weights_is_told(outside: WorkspaceFolder) -> None:
    (outside.root / "Tiny-Llama/model.safetensors").unlink()
    told = outside.ok("init", "--model", "Tiny-Llama", "--name", "bare").out
    assert told.endswith(
        "Tiny-Llama has no weights: the project uses synthetic ones, until you give it --weights PATH\n"
    )


def test_smollm2_has_the_sizes_of_its_project(smollm2_gguf: Path, tmp_path: Path) -> None:  # noqa: F811
    made = make_project(smollm2_gguf)
    assert made.name == "smollm2_135m_instruct_q4_1"
    assert "prompts:\n" in made.files["BUILD.yaml"] and "context: 2048\n" in made.files["BUILD.yaml"]
    (tmp_path / "config.json").write_text(made.files["config.json"])
    module = load_model(PROJECT / "model.py").module
    assert isinstance(module, PreTrainedModel)
    own = module.config.to_dict()
    config = AutoConfig.from_pretrained(tmp_path).to_dict()
    names = set(json.loads(made.files["config.json"])) - {"architectures", "unk_token_id"}
    tokens = {"bos_token_id", "eos_token_id", "pad_token_id"}
    assert {n: config[n] for n in names - tokens} == {n: own[n] for n in names - tokens}
