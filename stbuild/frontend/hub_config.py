"""Reads the configuration of a Hugging Face folder; refuses models that cannot be compiled."""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import transformers
from transformers import AutoConfig, PreTrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from stbuild.errors import StbuildError, did_you_mean
from stbuild.frontend.quantisation import read_quantisation

CONFIG = "config.json"
EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts", "num_experts_per_tok")
"""How configurations count the experts of a mixture."""
_CAUSAL = ("ForCausalLM", "LMHeadModel", "LMHead")
_OWN_CODE = "auto_map"
_LEFT_OUT = (_OWN_CODE, "_attn_implementation", "_name_or_path", "transformers_version")
"""Keys of config.json that say where a model came from, or how another runtime is to run it."""
_OLD_WEIGHTS = ("*.bin", "*.pt", "*.pth")
_BY_HAND = "write a model.py for it, as the tutorial shows"


@dataclass(frozen=True, kw_only=True)
class ModelSource:
    """A model that a project can be made of: `config` is the text of its config.json.

    `weights` and `tokenizer` say whether the source has them; `context` is how many positions the model was
    made for, 0 if it does not say.
    """

    path: Path
    config: str
    model_type: str
    context: int
    weights: bool
    tokenizer: bool


def read_folder(path: Path) -> ModelSource:
    """The model in the Hugging Face folder at `path`."""
    file = path / CONFIG
    data = _read(path, file)
    _check_type(data, file)
    _check_kind(data, file)
    kept = {key: value for key, value in data.items() if key not in _LEFT_OUT}
    return ModelSource(
        path=path,
        config=json.dumps(kept, indent=2, sort_keys=True) + "\n",
        model_type=str(data["model_type"]),
        context=positions(config_of(kept, str(file))),
        weights=_has_weights(path),
        tokenizer=(path / "tokenizer.json").is_file(),
    )


def config_of(data: Mapping[str, object], where: str) -> PreTrainedConfig:
    """The configuration that `data` describes, as transformers understands it."""
    logging.getLogger("transformers").setLevel(logging.ERROR)
    rest = {key: value for key, value in data.items() if key != "model_type"}
    try:
        config: PreTrainedConfig = AutoConfig.for_model(str(data["model_type"]), **rest)
    except Exception as error:  # each class checks its values in its own way
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise StbuildError(f"transformers refuses the configuration: {reason}", where=where) from error
    return config


def positions(config: PreTrainedConfig) -> int:
    """How many positions a model was made for; 0 if its configuration does not say."""
    most = getattr(config.get_text_config(), "max_position_embeddings", None)
    return most if isinstance(most, int) and most > 0 else 0


def refuse_experts(counts: Iterator[tuple[str, object]], where: str) -> None:
    """Refuse a mixture of experts, by the counts that its configuration gives."""
    for key, count in counts:
        if isinstance(count, int) and count > 1:
            raise StbuildError(
                f"the model is a mixture of experts ({key} is {count}), which is not supported",
                where=where,
                hint="use a dense model",
            )


def _read(path: Path, file: Path) -> dict[str, object]:
    if not file.is_file():
        raise StbuildError(f"the folder has no {CONFIG}", where=str(path), hint=_hint_without(path))
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise StbuildError(f"not JSON: {error}", where=str(file)) from None
    if not isinstance(data, dict):
        raise StbuildError("not the configuration of a model: not a JSON object", where=str(file))
    return data


def _hint_without(path: Path) -> str:
    if (path / "adapter_config.json").is_file():
        return "it holds an adapter: merge it into its model with peft's merge_and_unload() and save that"
    files = sorted(path.glob("*.gguf"))
    if files:
        return f"name the GGUF file itself: {files[0]}"
    return "give a folder that transformers' save_pretrained() wrote, or a .gguf file"


def _check_type(data: Mapping[str, object], file: Path) -> None:
    kind = data.get("model_type")
    if not isinstance(kind, str):
        raise StbuildError(f"{CONFIG} names no model_type", where=str(file), hint=_BY_HAND)
    if kind in CONFIG_MAPPING:
        return
    if _OWN_CODE in data:
        message = f"the model_type {kind!r} comes with code of its own, which init does not run"
        raise StbuildError(message, where=str(file), hint=_BY_HAND)
    hint = did_you_mean(kind, MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
    raise StbuildError(f"transformers has no model_type {kind!r}", where=str(file), hint=hint)


def _check_kind(data: Mapping[str, object], file: Path) -> None:
    kind, names = data["model_type"], data.get("architectures") or []
    names = names if isinstance(names, list) else [names]
    foreign = [str(name) for name in names if not str(name).endswith(_CAUSAL)]
    if foreign and not hasattr(transformers, foreign[0]):
        message = f"the class {foreign[0]} is none of transformers' own"
        raise StbuildError(message, where=str(file), hint=_BY_HAND)
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES or foreign or data.get("is_encoder_decoder"):
        name = foreign[0] if foreign else f"a model of the model_type {kind!r}"
        hint = "give a causal language model, such as LlamaForCausalLM"
        raise StbuildError(f"{name} is no language model that continues a text", where=str(file), hint=hint)
    refuse_experts(_experts(data), str(file))
    if data.get("quantization_config") is not None:
        read_quantisation(data["quantization_config"], CONFIG, str(file))


def _experts(data: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for part in (data, data.get("text_config")):
        if isinstance(part, dict):
            yield from ((key, part.get(key)) for key in EXPERTS)


def _has_weights(path: Path) -> bool:
    if any(path.glob("*.safetensors")):
        return True
    old = [file for pattern in _OLD_WEIGHTS for file in sorted(path.glob(pattern)) if file.is_file()]
    weights = [file for file in old if file.name not in ("training_args.bin", "optimizer.pt", "scheduler.pt")]
    if weights:
        message = f"the weights in {weights[0].name} are a pickle, which runs code when it is read"
        hint = "save them as safetensors: AutoModelForCausalLM.from_pretrained(DIR).save_pretrained(NEW)"
        raise StbuildError(message, where=str(path), hint=hint)
    return False
