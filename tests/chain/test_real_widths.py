"""Models with their own widths and heads but few layers: planned at default sizes and near their floats.

Those that take longer than a few seconds run where STBUILD_EXAMPLES asks for more.
"""

import os
from dataclasses import dataclass
from typing import Any

import pytest
import transformers

from stbuild.chain.float_report import checked
from stbuild.chain.float_run import float_run
from stbuild.chain.float_verdict import MAX_ERROR
from stbuild.frontend.checkpoint import open_weights
from stbuild.frontend.meta_parameters import parameters_on_meta
from stbuild.frontend.model_graph import check_prefill, decode_graph, prefill_ops
from stbuild.frontend.module_run import ModuleRun
from stbuild.frontend.weights import index_of
from stbuild.passes.numerics import FixNumerics
from stbuild.passes.pipeline import plan
from stbuild.passes.sizes import SizeOverrides
from stbuild.reference.first_difference import relative_error
from tests.accelerator import platform

VOCABULARY = 512
NO_TOKENS = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None, "vocab_size": VOCABULARY}
LAYERS = {**NO_TOKENS, "num_hidden_layers": 2}
LLAMA = {**LAYERS, "hidden_size": 4096, "intermediate_size": 11008, "num_attention_heads": 32}
BLOOM = {"vocab_size": VOCABULARY, "n_layer": 2, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 3}
MPT = {"vocab_size": VOCABULARY, "d_model": 4096, "n_heads": 32, "n_layers": 2, "max_seq_len": 2048}
LONGROPE = {
    "rope_type": "longrope", "rope_theta": 1e4, "factor": 32.0, "original_max_position_embeddings": 4096,
    "short_factor": [1.0 + i / 48 for i in range(48)], "long_factor": [1.0 + i for i in range(48)],
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Real:
    """A model of transformers with the sizes of a released one, and a context for it.

    `seconds` of CPU time is what its test took (measured, two cores of 2.1 GHz; that of
    mpt_7b, of which nine engines are proved until one fits, on a slower machine).
    """

    kind: str
    sizes: dict[str, Any]
    seconds: float
    context: int = 256

    def model(self) -> Any:
        """The module with parameters on the meta device."""
        config = getattr(transformers, f"{self.kind}Config")(**self.sizes)
        suffix = "LMHeadModel" if self.kind == "GPT2" else "ForCausalLM"
        with parameters_on_meta():
            return getattr(transformers, self.kind + suffix)(config).eval()


MODELS = {
    "falcon_7b": Real(kind="Falcon", seconds=6.1, sizes={
        **LAYERS, "hidden_size": 4544, "num_attention_heads": 71, "multi_query": True, "parallel_attn": True,
        "bias": False, "alibi": False, "new_decoder_architecture": False,
    }),
    "bloom_560m": Real(kind="Bloom", seconds=2.8, sizes={**BLOOM, "hidden_size": 1024, "n_head": 16}),
    "bloom_7b1": Real(kind="Bloom", seconds=8.1, sizes={**BLOOM, "hidden_size": 4096, "n_head": 32}),
    "mpt_7b": Real(kind="Mpt", seconds=101.5, sizes={**MPT, "attn_config": {"clip_qkv": 8.0, "alibi": True}}),
    "phi3_mini_128k": Real(kind="Phi3", seconds=8.3, sizes={
        **LAYERS, "hidden_size": 3072, "intermediate_size": 8192, "num_attention_heads": 32,
        "num_key_value_heads": 32, "max_position_embeddings": 131072, "rope_parameters": LONGROPE,
        "original_max_position_embeddings": 4096,
    }, context=8192),
    "llama_dynamic": Real(kind="Llama", seconds=4.7, sizes={
        **LLAMA, "max_position_embeddings": 2048,
        "rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 4.0},
    }),
    "exaone4_1b": Real(kind="Exaone4", seconds=2.9, sizes={
        **LAYERS, "hidden_size": 2048, "intermediate_size": 4096, "num_attention_heads": 32,
        "num_key_value_heads": 8, "head_dim": 64, "sliding_window": None, "sliding_window_pattern": 4,
        "layer_types": ["full_attention"] * 2,
    }),
    "exaone4_32b": Real(kind="Exaone4", seconds=18.1, sizes={
        **LAYERS, "num_hidden_layers": 4, "hidden_size": 5120, "intermediate_size": 27392,
        "num_attention_heads": 40, "num_key_value_heads": 8, "head_dim": 128, "sliding_window": 128,
        "sliding_window_pattern": 4,
    }),
    "qwen3_0_6b": Real(kind="Qwen3", seconds=2.3, sizes={
        **LAYERS, "hidden_size": 1024, "intermediate_size": 3072, "num_attention_heads": 16,
        "num_key_value_heads": 8, "head_dim": 128, "tie_word_embeddings": True,
    }),
    "gpt2_xl": Real(kind="GPT2", seconds=1.5, sizes={
        "vocab_size": VOCABULARY, "n_embd": 1600, "n_layer": 2, "n_head": 25, "n_positions": 1024,
        "bos_token_id": None, "eos_token_id": None,
    }),
}  # fmt: skip
FEW_SECONDS = 7.0
CHOSEN = [
    name for name, real in MODELS.items() if "STBUILD_EXAMPLES" in os.environ or real.seconds < FEW_SECONDS
]


@pytest.mark.slow
@pytest.mark.parametrize("name", CHOSEN)
def test_it_is_planned_and_near_its_floats(name: str) -> None:
    """`plan` refuses a design that hangs, `checked` a graph that is not the model or far from integers."""
    real = MODELS[name]
    model = real.model()
    traced = decode_graph(model, name=name, context=real.context)
    check_prefill(traced.graph, prefill_ops(model, context=real.context))
    graph = FixNumerics()(traced.graph)
    weights = open_weights(None, graph)
    plan(graph, index_of(graph, weights), platform("u55c"), SizeOverrides())
    run = ModuleRun(module=model, context=real.context)
    agreement, outcome = checked(float_run(lambda: run, graph, weights, traced.tables), {})
    assert relative_error(outcome.graph, outcome.module) <= MAX_ERROR
    assert agreement.least_similar.cosine >= 0.995
