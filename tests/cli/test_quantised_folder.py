"""A folder that AWQ quantised, by `init` and one build: real weights as stored, checked bit for bit."""

from pathlib import Path
from typing import Any

import pytest
from transformers import LlamaConfig, LlamaForCausalLM

from tests.conftest import WorkspaceFolder
from tests.quantised_folders import AWQ, Packing, write_folder

LONG_S = 600
SIZES: dict[str, Any] = {
    "vocab_size": 96, "hidden_size": 256, "intermediate_size": 384, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64,
    "bos_token_id": None, "eos_token_id": None, "pad_token_id": None,
}  # fmt: skip


@pytest.mark.slow
def test_a_folder_becomes_a_project_that_is_built_and_checked(tmp_path: Path) -> None:
    somewhere = WorkspaceFolder(root=tmp_path / "somewhere", cache=tmp_path / "cache")
    write_folder(somewhere.root / "Tiny-AWQ", LlamaForCausalLM(LlamaConfig(**SIZES)), Packing(config=AWQ))
    somewhere.ok("init", "new", "--model", "Tiny-AWQ")
    done = somewhere.ok("tiny_awq", cwd="new", timeout_s=LONG_S)
    assert "bit-exact with the PyTorch reference: 1 prompts, 16 new tokens" in done.out
    assert "real weights" in done.out and "floats: the graph is the model within " in done.out
    kernels = somewhere.root / "new/stbuild-out/u55c-sw_emu/tiny_awq"
    assert "/*ZERO_POINTS=*/true>" in next(kernels.glob("hls/kernels/matmul*.cpp")).read_text()
