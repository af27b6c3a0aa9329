"""Projects made of a Hugging Face folder or a GGUF file: what is written, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from transformers import AutoConfig, LlamaConfig, LlamaForCausalLM, PreTrainedConfig

from stbuild.errors import StbuildError
from stbuild.frontend.gguf_config import llama3_scaling
from stbuild.frontend.model_file import load_model
from stbuild.library.project import make_project, project_name, write_project

SIZES: dict[str, Any] = {
    "vocab_size": 64, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128,
}  # fmt: skip


def config(**changes: Any) -> dict[str, Any]:
    return {"model_type": "llama", "architectures": ["LlamaForCausalLM"], **SIZES, **changes}


@pytest.fixture
def hub(tmp_path: Path) -> Callable[..., Path]:
    """Writes a folder with a config.json and empty files of other names."""

    def write(data: object, *names: str) -> Path:
        folder = tmp_path / "Some-Model.v2"
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text(data if isinstance(data, str) else json.dumps(data))
        for name in names:
            (folder / name).touch()
        return folder

    return write


Hub = Callable[..., Path]


def test_a_folder_with_weights(hub: Hub, tmp_path: Path) -> None:
    source = hub(
        config(max_position_embeddings=512, _name_or_path="x"), "model.safetensors", "tokenizer.json"
    )
    project = make_project(source)
    assert project.name == "some_model_v2" and project.weights
    assert project.files["BUILD.yaml"] == (
        "targets:\n  - llm_accelerator:\n      model: model.py\n      srcs: [config.json]\n"
        f'      weights: "{source}"\n      context: 512\n'
        '      prompts:\n        - "What is the capital of France?"\n'
    )
    kept = json.loads(project.files["config.json"])
    assert kept == config(max_position_embeddings=512)
    assert (
        f"stbuild run some_model_v2 --prompt {json.dumps('What is the capital of France?')}"
        in (project.files["README.md"])
    )
    write_project(project, tmp_path / "made")
    module = load_model(tmp_path / "made/model.py").module
    assert isinstance(module, LlamaForCausalLM) and module.config.num_key_value_heads == 2


def test_a_folder_without_weights_or_with_a_short_context(hub: Hub) -> None:
    project = make_project(hub(config()), name="mine")
    assert not project.weights and project.name == "mine"
    assert "weights" not in project.files["BUILD.yaml"] and "context: 128\n" in project.files["BUILD.yaml"]
    assert "prompts" not in project.files["BUILD.yaml"] and "they are synthetic" in project.files["README.md"]
    short = make_project(hub(config(), "model.safetensors", "tokenizer.json"))
    assert "prompts" not in short.files["BUILD.yaml"]


def test_own_code_and_attention_of_a_known_class_are_left_out(hub: Hub) -> None:
    data = config(auto_map={"AutoModelForCausalLM": "x.Y"}, _attn_implementation="flash_attention_2")
    assert json.loads(make_project(hub(data)).files["config.json"]) == config()


@pytest.mark.parametrize(
    ("name", "package"),
    [("SmolLM2-135M.Q4_1.gguf", "smollm2_135m_q4_1"), ("a b", "a_b"), ("Größe", "gr_e"), ("…", "model")],
)
def test_names(name: str, package: str) -> None:
    assert project_name(Path(name)) == package


EXPERTS = "the model is a mixture of experts (num_local_experts is 8), which is not supported"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("{", "config.json: not JSON: Expecting property name"),
        ("[" * 100_000, "config.json: not JSON: "),
        ([], "not the configuration of a model: not a JSON object"),
        ({}, "config.json names no model_type (write a model.py for it, as the tutorial shows)"),
        (config(model_type="lama"), "transformers has no model_type 'lama' (did you mean 'llama'?)"),
        (config(model_type="own", auto_map={}), "'own' comes with code of its own, which init does not run"),
        (config(model_type="mixtral", architectures=["MixtralForCausalLM"], num_local_experts=8), EXPERTS),
        (config(model_type="t5", architectures=["T5ForConditionalGeneration"]), "Generation is no language"),
        (config(architectures=["TinyLlama"]), "the class TinyLlama is none of transformers' own (write a"),
        (config(model_type="vit", architectures=[]), "a model of the model_type 'vit' is no language model"),
        (config(quantization_config={"quant_method": "gptq", "bits": 3}), "that GPTQ has 3 bits; stbuild"),
        (config(num_attention_heads="many"), "transformers refuses the configuration: "),
        (config(hidden_size=65), "transformers refuses the configuration: "),
    ],
)  # fmt: skip
def test_folders_that_are_refused(hub: Hub, data: object, sentence: str) -> None:
    with pytest.raises(StbuildError) as caught:
        make_project(hub(data))
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ((), "the folder has no config.json (give a folder that transformers' save_pretrained()"),
        (("adapter_config.json",), "it holds an adapter: merge it into its model with peft's"),
        (("x.gguf",), "name the GGUF file itself: "),
    ],
)  # fmt: skip
def test_folders_without_a_configuration(hub: Hub, names: tuple[str, ...], sentence: str) -> None:
    folder = hub("", *names)
    (folder / "config.json").unlink()
    with pytest.raises(StbuildError) as caught:
        make_project(folder)
    assert sentence in str(caught.value)


def test_pickled_weights(hub: Hub) -> None:
    with pytest.raises(StbuildError, match=r"the weights in pytorch_model.bin are a pickle.* \(save them as"):
        make_project(hub(config(), "pytorch_model.bin"))
    assert make_project(hub(config(), "pytorch_model.bin", "model.safetensors")).weights


def test_paths_that_are_no_model(tmp_path: Path) -> None:
    with pytest.raises(StbuildError, match=r"there is no model at .*/none \(give a Hugging Face folder or a"):
        make_project(tmp_path / "none")
    file = tmp_path / "model.safetensors"
    file.touch()
    with pytest.raises(StbuildError, match=r"neither a folder nor a .gguf file \(a Hugging Face folder has"):
        make_project(file)
    with pytest.raises(
        StbuildError, match=r".* is there already \(remove it, or give the project another name"
    ):
        write_project(make_project_of(tmp_path), tmp_path)


def make_project_of(folder: Path) -> Any:
    (folder / "hub").mkdir()
    (folder / "hub/config.json").write_text(json.dumps(config()))
    return make_project(folder / "hub")


Gguf = Callable[..., Path]


@pytest.fixture
def file(tmp_path: Path) -> Gguf:
    """Writes a GGUF file of a small Llama; keyword arguments change its metadata, tensors are added."""

    def write(
        architecture: str = "llama", tensors: dict[str, np.ndarray[Any, Any]] | None = None, **facts: Any
    ) -> Path:
        path = tmp_path / "Tiny.Q4_1.gguf"
        writer = gguf.GGUFWriter(path, architecture)
        numbers = {
            "block_count": 2, "context_length": 128, "embedding_length": 64, "feed_forward_length": 96,
            "attention.head_count": 4, "attention.head_count_kv": 2, "vocab_size": 64,
            **{key.replace("__", "."): value for key, value in facts.items() if not key.startswith("_")},
        }  # fmt: skip
        for key, value in numbers.items():
            put = writer.add_string if isinstance(value, str) else writer.add_uint32
            full = key if key.startswith(("general.", "split.")) else f"{architecture}.{key}"
            put(full, value)
        writer.add_float32(f"{architecture}.rope.freq_base", 500000.0)
        writer.add_float32(f"{architecture}.attention.layer_norm_rms_epsilon", 1e-5)
        for name, values in (tensors if tensors is not None else {"token_embd.weight": ROWS}).items():
            writer.add_tensor(name, values)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path

    return write


ROWS = np.zeros((64, 64), np.float32)


def test_a_gguf_file(file: Gguf) -> None:
    project = make_project(file())
    assert project.name == "tiny_q4_1" and project.weights
    known = json.loads(project.files["config.json"])
    assert known["rms_norm_eps"] == 1e-5 and known["tie_word_embeddings"] is True
    assert known["rope_parameters"] == {"rope_theta": 500000.0, "rope_type": "default"}
    assert {key: known[key] for key in SIZES} == SIZES
    assert "prompts" not in project.files["BUILD.yaml"], "it has no tokenizer"


def llama3(factor: float) -> LlamaConfig:
    """A Llama 3 whose rotary embedding was stretched."""
    rope = {
        "rope_type": "llama3", "rope_theta": 500000.0, "factor": factor, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 8192,
    }  # fmt: skip
    return LlamaConfig(**{**SIZES, "hidden_size": 256}, rope_parameters=rope)


def factors_of(stretched: PreTrainedConfig) -> np.ndarray[Any, Any]:
    """By what its frequencies are divided: what llama.cpp's converter writes to rope_freqs.weight."""
    model = LlamaForCausalLM(stretched)  # type: ignore[arg-type]  # a LlamaConfig
    plain = 500000.0 ** -(torch.arange(0, 64, 2) / 64)
    factors: np.ndarray[Any, Any] = (plain / model.model.rotary_emb.inv_freq).numpy().astype(np.float32)
    return factors


@pytest.mark.parametrize("factor", [8.0, 32.0])
def test_the_frequencies_of_a_llama3_are_recognised(file: Gguf, factor: float) -> None:
    tensors = {"token_embd.weight": ROWS, "rope_freqs.weight": factors_of(llama3(factor))}
    made = make_project(file(tensors=tensors, embedding_length=256))
    rope = json.loads(made.files["config.json"])["rope_parameters"]
    assert rope == llama3(factor).rope_parameters


def test_other_frequencies_are_refused(file: Gguf) -> None:
    factors = np.linspace(1, 8, 32, dtype=np.float32)
    tensors = {"token_embd.weight": ROWS, "rope_freqs.weight": factors}
    with pytest.raises(
        StbuildError, match=r"scales its rotary frequencies \(the tensor 'rope_freqs.weight'\) in"
    ):
        make_project(file(tensors=tensors, embedding_length=256))
    with pytest.raises(
        StbuildError, match=r"scales its rotary frequencies \(rope.scaling.type 'yarn'\) in a way"
    ):
        make_project(file(rope__scaling__type="yarn"))
    assert llama3_scaling(factors[:3].astype(np.float64), AutoConfig.for_model("llama", **SIZES)) is None


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"architecture": "lama"}, "no GGUF file of the architecture 'lama' (did you mean 'llama'?)"),
        ({"expert_count": 8}, "the model is a mixture of experts (expert_count is 8), which"),
        ({"general__type": "adapter"}, "the GGUF file holds an adapter, not a model (give the file"),
        ({"split__count": 3}, "the file is one of 3 parts of a model (join them with llama-gguf-split"),
        ({"tensors": {}}, "the GGUF file has no weights"),
        ({"attention__head_count": 0}, "transformers refuses the configuration: "),
    ],
)  # fmt: skip
def test_gguf_files_that_are_refused(file: Gguf, facts: dict[str, Any], sentence: str) -> None:
    with pytest.raises(StbuildError) as caught:
        make_project(file(**facts))
    assert sentence in str(caught.value)


def test_a_gguf_file_that_is_cut_short(file: Gguf) -> None:
    path = file()
    path.write_bytes(path.read_bytes()[:-4_000])
    with pytest.raises(StbuildError, match="truncated or damaged"):
        make_project(path)
