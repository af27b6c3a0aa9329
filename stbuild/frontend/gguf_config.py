"""The configuration of the model in a GGUF file, as transformers reads its metadata."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedConfig
from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES, load_gguf_checkpoint
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from stbuild.errors import StbuildError, did_you_mean
from stbuild.frontend.gguf_file import GgufFile
from stbuild.frontend.hub_config import ModelSource, config_of, positions, refuse_experts
from stbuild.frontend.untyped import GgufValue

_FOLDER = "give the model's Hugging Face folder, or write model.py by hand"
_LLAMA3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
"""What all Llama 3 models with scaled frequencies have; their GGUF files carry the frequencies alone."""
_LEFT_OUT = ("_model_name_or_path", "_name_or_path", "transformers_version")


def read_gguf(path: Path) -> ModelSource:
    """The model in the GGUF file at `path`."""
    file = GgufFile.open(path)
    _check(file)
    config = config_of(_parameters(file), str(path))
    _check_rotary(file, config)
    usual = PreTrainedConfig().to_dict()
    data = {
        key: _shortest(value)
        for key, value in config.to_dict().items()
        if key not in _LEFT_OUT and not (key in usual and usual[key] == value)
    }
    return ModelSource(
        path=path,
        config=json.dumps(data, indent=2, sort_keys=True) + "\n",
        model_type=config.model_type,
        context=positions(config),
        weights=bool(file.tensors),
        tokenizer=file.value("tokenizer.ggml.tokens") is not None,
    )


def _check(file: GgufFile) -> None:
    where, kind = str(file.path), file.value("general.type", "model")
    if kind != "model":
        message = f"the GGUF file holds an {kind}, not a model"
        raise StbuildError(message, where=where, hint="give the file of the model itself")
    parts = file.value("split.count", 1)
    if isinstance(parts, int) and parts > 1:
        message = f"the file is one of {parts} parts of a model"
        raise StbuildError(message, where=where, hint="join them with llama-gguf-split --merge")
    if not any(name.endswith(".weight") for name in file.tensors):
        message = "the GGUF file has no weights"
        raise StbuildError(message, where=where, hint="a file of a vocabulary alone is no model")
    refuse_experts(iter([("expert_count", file.model_value("expert_count"))]), where)
    known = sorted(set(GGUF_SUPPORTED_ARCHITECTURES) - {"general", "tokenizer"})
    if file.architecture not in known:
        hint = did_you_mean(file.architecture, known)
        message = f"transformers reads no GGUF file of the architecture {file.architecture!r}"
        raise StbuildError(message, where=where, hint=hint)


def _parameters(file: GgufFile) -> dict[str, GgufValue]:
    """The arguments of the configuration's class; architecture and sizes come from the metadata alone."""
    logging.getLogger("transformers").setLevel(logging.ERROR)
    try:
        read = load_gguf_checkpoint(str(file.path))["config"]  # type: ignore[no-untyped-call]  # untyped
    except Exception as error:  # whatever a damaged value raises there
        message = f"transformers cannot read the file's metadata: {type(error).__name__}: {error}"
        raise StbuildError(message, where=str(file.path), hint=_FOLDER) from error
    kind = read.get("model_type")
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        message = f"a model of the architecture {kind!r} is no language model that continues a text"
        raise StbuildError(message, where=str(file.path), hint="give a causal language model")
    return {**read, "architectures": [MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[kind]]}


def _check_rotary(file: GgufFile, config: PreTrainedConfig) -> None:
    """Put scaled rotary frequencies into `config`, or refuse them: transformers reads past them."""
    rope = getattr(config, "rope_parameters", None)
    if not isinstance(rope, dict) or rope.get("rope_type", "default") != "default":
        return
    scaling = file.model_value("rope.scaling.type")
    names = [name for name in file.tensors if name.startswith(("rope_freqs.", "rope_factors_"))]
    if scaling in (None, "none") and not names:
        return
    factors = file.tensors["rope_freqs.weight"].data if "rope_freqs.weight" in names else None
    found = None if factors is None else llama3_scaling(np.asarray(factors, np.float64).ravel(), config)
    if found is None or scaling not in (None, "none"):
        what = f"rope.scaling.type {scaling!r}" if not names else f"the tensor {names[0]!r}"
        message = f"the file scales its rotary frequencies ({what}) in a way that is not understood"
        raise StbuildError(message, where=str(file.path), hint=_FOLDER)
    config.rope_parameters = found


def llama3_scaling(factors: NDArray[np.float64], config: PreTrainedConfig) -> dict[str, GgufValue] | None:
    """The `rope_parameters` of a Llama 3 that divide the frequencies of `config` by `factors`, if any."""
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    plain = dict(getattr(config, "rope_parameters"))  # noqa: B009  # no attribute of every configuration
    scaled = {**plain, "rope_type": "llama3", "factor": round(float(factors.max()), 3), **_LLAMA3}
    config.rope_parameters = scaled
    try:
        found, _ = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
    finally:
        config.rope_parameters = plain
    size = 2 * len(factors)
    base = plain["rope_theta"] ** -(np.arange(0, size, 2) / size)
    same = found.numel() == len(factors) and np.allclose(found.numpy(), base / factors, rtol=1e-4, atol=0)
    return scaled if same else None


def _shortest(value: GgufValue) -> GgufValue:
    """Floats as they were before a GGUF file kept them in 32 bits: 1e-05 for 9.999999747378752e-06."""
    if isinstance(value, Mapping):
        return {key: _shortest(each) for key, each in value.items()}
    if isinstance(value, float) and value == float(np.float32(value)):
        return float(str(np.float32(value)))
    return value
