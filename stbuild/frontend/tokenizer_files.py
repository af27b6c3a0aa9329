"""The tokenizer and chat template of a checkpoint, as files that a runtime without torch reads."""

import json
import logging
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from tokenizers import Tokenizer, pre_tokenizers

from stbuild.errors import StbuildError
from stbuild.frontend.gguf_file import GgufFile

TOKENIZER_FILE, CONFIG_FILE, TEMPLATE_FILE = "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"
_COPIED = (TOKENIZER_FILE, CONFIG_FILE, TEMPLATE_FILE, "generation_config.json")
_SPECIAL = {"bos_token": "bos", "eos_token": "eos", "unk_token": "unknown", "pad_token": "padding"}


def write_tokenizer(source: Path, folder: Path) -> None:
    """Write what `source` (a GGUF file, a safetensors file or a Hugging Face folder) has into `folder`.

    A safetensors file has no tokenizer; other files in its folder are no inputs of the build.
    """
    if source.suffix == ".gguf":
        _from_gguf(GgufFile.open(source), folder)
        return
    for name in _COPIED:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
    _template_of_its_own(folder)


def _from_gguf(file: GgufFile, folder: Path) -> None:
    if file.value("tokenizer.ggml.tokens") is None:
        return
    _write_json(folder / CONFIG_FILE, _config(file))
    _tokenizer(file).save(str(folder / TOKENIZER_FILE))
    template = file.value("tokenizer.chat_template")
    if template:
        (folder / TEMPLATE_FILE).write_text(template, encoding="utf-8")


def _tokenizer(file: GgufFile) -> Tokenizer:
    """As transformers reads the metadata, with the digits of SmolLM split as that model was trained."""
    from transformers import AutoTokenizer

    logging.getLogger("transformers").setLevel(logging.ERROR)
    try:
        with TemporaryDirectory() as alone:
            (Path(alone) / file.path.name).symlink_to(file.path.absolute())
            loaded = AutoTokenizer.from_pretrained(alone, gguf_file=file.path.name)
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


def _config(file: GgufFile) -> dict[str, object]:
    tokens = file.value("tokenizer.ggml.tokens")
    config: dict[str, object] = {}
    for name, key in _SPECIAL.items():
        token = file.value(f"tokenizer.ggml.{key}_token_id")
        if token is not None:
            if not isinstance(token, int) or not 0 <= token < len(tokens):
                raise StbuildError(
                    f"the GGUF file's {key} token id {token!r} is outside its vocabulary of {len(tokens)}",
                    where=str(file.path),
                )
            config[name] = tokens[token]
    config["add_bos_token"] = bool(file.value("tokenizer.ggml.add_bos_token", False))
    length = file.model_value("context_length", 0)
    if not isinstance(length, int):
        raise StbuildError(
            f"the GGUF file's context_length {length!r} is not an integer", where=str(file.path)
        )
    config["model_max_length"] = length
    return config


def _template_of_its_own(folder: Path) -> None:
    """Older checkpoints keep the chat template inside tokenizer_config.json."""
    if (folder / TEMPLATE_FILE).exists() or not (folder / CONFIG_FILE).exists():
        return
    try:
        template = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8")).get("chat_template")
    except (ValueError, AttributeError) as error:
        raise StbuildError("not a tokenizer's configuration", where=str(folder / CONFIG_FILE)) from error
    if isinstance(template, str):
        (folder / TEMPLATE_FILE).write_text(template, encoding="utf-8")


def _write_json(path: Path, data: dict[str, object]) -> None:
    path.write_text(json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
