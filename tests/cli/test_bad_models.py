"""A model, weights or a card that cannot work together: the real rules say in one sentence what is wrong."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.cli.model_texts import model_text
from tests.conftest import WorkspaceFolder
from tests.frontend.test_weights import write_gguf
from tests.models import tiny_llama

SIZES = (
    "max_position_embeddings=4096, vocab_size=64, hidden_size=64, intermediate_size=96, num_hidden_layers=2"
)
TINY = f'''
"""A small Llama."""

from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM


def model() -> nn.Module:
    """Random weights."""
    heads = {{"num_attention_heads": 4, "num_key_value_heads": 2}}
    return LlamaForCausalLM(LlamaConfig({SIZES}, **heads))
'''
CUMULATIVE = model_text("A model with an operator that has no lowering.", '''
class Mixer(nn.Module):
    """Sums along the features."""

    def forward(self, x: Tensor) -> Tensor:
        """The running sum."""
        return torch.cumsum(x, dim=-1)
''')  # fmt: skip
BRANCH = model_text("A model that is another one for long prompts.", '''
class Mixer(nn.Module):
    """A linear layer and an activation."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Linear(64, 64, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """One or the other."""
        y = self.up(x)
        if x.shape[1] > 3:
            return torch.relu(y)
        return nn.functional.silu(y)
''')  # fmt: skip
CARD = '''
"""A U55C with very little memory."""

from dataclasses import replace

from stbuild.api import builtin_platform

U55C = builtin_platform("u55c")
{NAME} = replace(
    U55C, name="{name}", memories=(replace(U55C.memory, bytes_per_bank={size}), *U55C.memories[1:])
)
'''
SMALL = "channels: 2, lanes: 1, chunk: 4, token_prompts: ['1 2 3'], new_tokens: 2"
LONG_S = 1200
State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> WorkspaceFolder:
    """A workspace with small models and small cards, which keeps what it has built from test to test."""
    root = tmp_path_factory.mktemp("models")
    workspace = WorkspaceFolder(root=root, cache=tmp_path_factory.mktemp("cache"))
    workspace.write("pyproject.toml", "[tool.stbuild]\n")
    for name, context in (("tiny", 16), ("long", 4096)):
        workspace.write(f"{name}/model.py", TINY.lstrip())
        workspace.build_file(name, f"llm_accelerator: {{model: model.py, context: {context}, {SMALL}}}")
    for name, text in (("op", CUMULATIVE), ("branch", BRANCH)):
        workspace.write(f"{name}/model.py", text.lstrip())
        workspace.build_file(name, f"llm_accelerator: {{model: model.py, context: 64, {SMALL}}}")
    for name, size in (("card4k", 1 << 12), ("card32k", 1 << 15)):
        workspace.write(f"platforms/{name}.py", CARD.lstrip().format(NAME=name.upper(), name=name, size=size))
    return workspace


@pytest.fixture(scope="module")
def state() -> State:
    """The weights of the small Llama."""
    return {name: value.clone() for name, value in tiny_llama().state_dict().items()}


def refusal(models: WorkspaceFolder, *args: str) -> str:
    """The line that says why an action failed."""
    done = models.run(*args, timeout_s=LONG_S)
    assert done.code == 1, done.out + done.err
    assert "Traceback" not in done.err
    (line,) = [each.strip() for each in done.err.splitlines() if each.startswith("  error: ")]
    return line


def test_an_operator_without_a_lowering(models: WorkspaceFolder) -> None:
    told = refusal(models, "op:trace")
    sentence = "aten.cumsum.default in mixer: there is no lowering for this operator (lowered are "
    assert told.startswith(f"error: op/model.py:12: {sentence}")


def test_a_model_that_is_another_one_for_long_prompts(models: WorkspaceFolder) -> None:
    """The build of the whole chain fails, at the line that the traced graph has wrong."""
    told = refusal(models, "branch")
    assert told.startswith("error: branch/model.py:19: the graph is not the model: the logits of 21 tokens")
    assert "the first op that differs is Map 'silu' in mixer" in told


def without(state: State) -> State:
    """One tensor less."""
    return {name: value for name, value in state.items() if name != "model.norm.weight"}


def with_another(state: State) -> State:
    """One tensor more."""
    return {**state, "model.surprise.weight": torch.zeros(3)}


def with_another_shape(state: State) -> State:
    """One tensor of another shape."""
    return {**state, "model.layers.1.mlp.up_proj.weight": torch.zeros(95, 64)}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (without, "the weights lack the tensor 'model.norm.weight' [64]"),
        (with_another, "the weights have a tensor 'model.surprise.weight' that the model does not"),
        (
            with_another_shape,
            "the tensor 'model.layers.1.mlp.up_proj.weight' is [95, 64], the model needs [96, 64]",
        ),
    ],
)
def test_weights_that_are_not_the_models(
    models: WorkspaceFolder, state: State, tmp_path: Path, change: Callable[[State], State], sentence: str
) -> None:
    save_file(change(state), tmp_path / "model.safetensors")
    assert sentence in refusal(models, "tiny:weights", "--weights", str(tmp_path))


def test_truncated_safetensors(models: WorkspaceFolder, state: State, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file(state, path)
    path.write_bytes(path.read_bytes()[:-1000])
    told = refusal(models, "tiny:weights", "--weights", str(path))
    assert "the safetensors file is truncated or damaged (" in told


@pytest.mark.parametrize("kept", [200, -1000])
def test_a_truncated_gguf(models: WorkspaceFolder, state: State, tmp_path: Path, kept: int) -> None:
    path = tmp_path / "tiny.gguf"
    write_gguf(path, state)
    path.write_bytes(path.read_bytes()[:kept])
    assert "truncated" in refusal(models, "tiny:weights", "--weights", str(path))


def test_weights_of_an_unknown_kind(models: WorkspaceFolder, tmp_path: Path) -> None:
    path = tmp_path / "tiny.bin"
    path.write_bytes(b"x")
    told = models.fails("tiny:weights", "--weights", str(path))
    assert "weights with the ending '.bin' cannot be read (give a .gguf file, " in told


def test_a_model_that_does_not_fit(models: WorkspaceFolder) -> None:
    told = refusal(models, "tiny:partition", "--platform", "card4k")
    assert "tiny does not fit card4k: weights_0 and kv_0 need " in told
    assert " KiB, a memory bank holds 4.00 KiB" in told


def test_a_context_that_does_not_fit(models: WorkspaceFolder) -> None:
    told = refusal(models, "long:partition", "--platform", "card32k")
    assert "long with a context of 4096 does not fit card32k: weights_0 and kv_0 need " in told
    assert "KV cache " in told
    fits = re.search(r"a context of (\d+) would fit", told)
    assert fits is not None
    assert 0 < int(fits[1]) < 4096


def test_a_hardware_build_without_vitis_is_told_before_it_begins(models: WorkspaceFolder) -> None:
    told = models.fails("tiny", "--target", "hw")
    assert "--target hw needs Vitis (2022.1 to 2023.2 for u55c), and v++ is not on this machine" in told
    assert "`stbuild tiny:hls --target hw` writes the C++ and link.cfg" in told
    models.ok("tiny:hls", "--target", "hw", timeout_s=LONG_S)
    hls = models.output("tiny/hls", "u55c-hw")
    assert sorted(path.suffix for path in (hls / "kernels").iterdir())[0] == ".cpp"
    assert "[connectivity]" in (hls / "link.cfg").read_text()


def test_a_prompt_longer_than_the_context(models: WorkspaceFolder) -> None:
    models.ok("tiny", timeout_s=LONG_S)
    tokens = " ".join(map(str, range(1, 21)))
    told = models.fails("run", "tiny", "--tokens", tokens)
    assert "error: the prompt has 20 tokens, the context holds 16 (" in told


def test_a_smoke_prompt_longer_than_the_context(models: WorkspaceFolder) -> None:
    tokens = " ".join(map(str, range(1, 21)))
    told = models.fails("tiny:smoke", "--set", f"//tiny:smoke.token_prompts=['{tokens}']")
    assert "a prompt of 20 tokens and 2 new ones do not fit a context of 16" in told
