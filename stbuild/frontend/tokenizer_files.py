"""The tokenizer and chat template of a checkpoint, as files that a runtime without torch reads."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, pre_tokenizers

from stbuild.errors import StbuildError
from stbuild.frontend.gguf_file import GgufFile

TOKENIZER_FILE, CONFIG_FILE, TEMPLATE_FILE = "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"
_COPIED = (TOKENIZER_FILE, CONFIG_FILE, TEMPLATE_FILE, "generation_config.json")
_SPECIAL = {"bos_token": "bos", "eos_token": "eos", "unk_token": "unknown", "pad_token": "padding"}


def write_tokenizer(source: Path, folder: Path) -> None:
    """Write what `source` (a GGUF file, a safetensors file or a Hugging Face folder) has into `folder`."""
    if source.suffix == ".gguf":
        _from_gguf(GgufFile.open(source), folder)
        return
    beside = source if source.is_dir() else source.parent
    for name in _COPIED:
        if (beside / name).is_file():
            shutil.copyfile(beside / name, folder / name)
    _template_of_its_own(folder)


def _from_gguf(file: GgufFile, folder: Path) -> None:
    if file.value("tokenizer.ggml.tokens") is None:
        return
    tokenizer = _tokenizer(file)
    tokenizer.save(str(folder / TOKENIZER_FILE))
    _write_json(folder / CONFIG_FILE, _config(file))
    template = file.value("tokenizer.chat_template")
    if template:
        (folder / TEMPLATE_FILE).write_text(template, encoding="utf-8")


def _tokenizer(file: GgufFile) -> Tokenizer:
    """As transformers reads the metadata, with the digits of SmolLM split as that model was trained."""
    from transformers import AutoTokenizer

    logging.getLogger("transformers").setLevel(logging.ERROR)
    try:
        loaded = AutoTokenizer.from_pretrained(file.path.parent, gguf_file=file.path.name)
    except (ValueError, KeyError, OSError) as error:
        raise StbuildError(
            f"the GGUF file's tokenizer cannot be read: {error}", where=str(file.path)
        ) from error
    tokenizer: Tokenizer = loaded.backend_tokenizer
    if file.value("tokenizer.ggml.pre") == "smollm":
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
    return tokenizer


def _config(file: GgufFile) -> dict[str, Any]:
    tokens = file.value("tokenizer.ggml.tokens")
    config: dict[str, Any] = {}
    for name, key in _SPECIAL.items():
        token = file.value(f"tokenizer.ggml.{key}_token_id")
        if token is not None:
            config[name] = tokens[int(token)]
    config["add_bos_token"] = bool(file.value("tokenizer.ggml.add_bos_token", False))
    config["model_max_length"] = int(file.model_value("context_length", 0))
    return config


def _template_of_its_own(folder: Path) -> None:
    """Older checkpoints keep the chat template inside tokenizer_config.json."""
    if (folder / TEMPLATE_FILE).exists() or not (folder / CONFIG_FILE).exists():
        return
    try:
        template = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8")).get("chat_template")
    except ValueError as error:
        raise StbuildError("not a tokenizer's configuration", where=str(folder / CONFIG_FILE)) from error
    if isinstance(template, str):
        (folder / TEMPLATE_FILE).write_text(template, encoding="utf-8")


def _write_json(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
