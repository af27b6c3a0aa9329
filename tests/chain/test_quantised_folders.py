"""Models that AWQ and GPTQ quantised, from their folders to an emulated card, without another rounding."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cosine_similarity
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from stbuild.chain.float_report import checked
from stbuild.chain.float_run import float_run
from stbuild.frontend.checkpoint import open_weights
from stbuild.frontend.model_graph import decode_graph
from stbuild.frontend.module_run import ModuleRun
from stbuild.frontend.weights import Checkpoint
from stbuild.passes.numerics import FixNumerics
from tests.accelerator import accelerate_graph
from tests.quantised_folders import AWQ, GPTQ, Packing, public_floats, write_folder

TOKENS = tuple((5 * i * i + 3) % 61 for i in range(37))
CHUNKS = (4, 3, 4, 1, *(4,) * 6, 1)
CONTEXT = 64
SIZES: dict[str, Any] = {
    "vocab_size": 96, "hidden_size": 256, "intermediate_size": 640, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": CONTEXT,
    "bos_token_id": None, "eos_token_id": None, "pad_token_id": None,
}  # fmt: skip


def llama() -> Any:
    return LlamaForCausalLM(LlamaConfig(**SIZES))


def qwen2() -> Any:
    """With biases of q, k and v, and a tied head."""
    return Qwen2ForCausalLM(Qwen2Config(**SIZES, tie_word_embeddings=True))


CASES: dict[str, tuple[Callable[[], Any], Packing]] = {
    "llama_awq": (llama, Packing(config=AWQ)),
    "llama_gptq": (llama, Packing(config=GPTQ)),
    "qwen2_awq_32": (qwen2, Packing(config=AWQ, group=32)),
}


@pytest.mark.slow
@pytest.mark.parametrize(("make", "packing"), CASES.values(), ids=CASES)
def test_a_folder_is_bit_exact_and_near_its_floats(
    make: Callable[[], Any], packing: Packing, tmp_path: Path
) -> None:
    torch.manual_seed(1)  # Weights of random words make attention so sharp that some draws flip a near tie.
    model = make()
    write_folder(tmp_path / "hub", model, packing)
    traced = decode_graph(model, name="tiny", context=CONTEXT)
    graph = FixNumerics()(traced.graph)
    weights = open_weights(tmp_path / "hub", graph)
    module = ModuleRun(module=model, context=CONTEXT)
    agreement, _ = checked(float_run(lambda: module, graph, weights, traced.tables), {})
    assert agreement.least_similar.cosine >= 0.995
    card = accelerate_graph(graph, weights, traced.tables, tmp_path)
    body = [op for op in card.design.matmuls if not card.design.blocks[op.block].head]
    assert {op.zero_points for op in body} == {True}
    card.check(TOKENS, CHUNKS)
    card_logits = card.expected(TOKENS).logits.double()
    assert (
        cosine_similarity(card_logits, public_logits(model, tmp_path / "hub", packing, weights)).min() > 0.99
    )


def public_logits(model: Any, folder: Path, packing: Packing, weights: Checkpoint) -> torch.Tensor:
    """Of the module with what a public unpacker makes of the folder, and the head in 8 bits."""
    state = public_floats(folder, packing)
    head = "model.embed_tokens.weight" if model.config.tie_word_embeddings else "lm_head.weight"
    state[head] = torch.from_numpy(weights.matrix(head).dequantise())
    loaded = model.load_state_dict(state, strict=False)
    assert not loaded.unexpected_keys and set(loaded.missing_keys) <= {"lm_head.weight"}
    with torch.no_grad():
        logits: torch.Tensor = model(input_ids=torch.tensor([TOKENS])).logits[0].double()
    return logits
