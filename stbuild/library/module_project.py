"""The project of a module in memory: its exported programs, its parameters and its tokenizer as files."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stbuild import layout
from stbuild.errors import StbuildError
from stbuild.library.project import build_file
from stbuild.library.store import Filed, file_once

if TYPE_CHECKING:
    from torch import nn

EXPORTED, PARAMETERS = "model.exported", "parameters"
TOKENIZER = "tokenizer.json"


def file_module(
    module: "nn.Module",
    tokenizer: object | None,
    *,
    name: str,
    context: int | None,
    attributes: Mapping[str, object],
    folder: Path | None,
) -> Path:
    """The folder of the project, named by a digest of all that is in it, unless it is to be `folder`."""
    from stbuild.frontend.export import ALONE, export_model, unwrapped
    from stbuild.frontend.exported import write_exported
    from stbuild.frontend.parameter_file import digest_of, parameters_of, write_parameters

    plain = unwrapped(module)
    _check_tokenizer(tokenizer)
    build_file(attributes)
    own = not {"weights", "seed"} & set(attributes)
    with ALONE:
        parameters = parameters_of(plain) if own else {}
    exported = export_model(plain, context)
    chosen: dict[str, object] = {"model": EXPORTED, "context": exported.decode.context}
    if own:
        chosen["weights"] = PARAMETERS
    text = build_file({**chosen, **attributes})

    def write(place: Path) -> None:
        (place / EXPORTED).mkdir()
        write_exported(exported, place / EXPORTED)
        (place / layout.BUILD_FILE).write_text(text, encoding="utf-8")
        if own:
            (place / PARAMETERS).mkdir()
            _write_text_side(plain, tokenizer, place / PARAMETERS)

    def add(place: Path) -> None:
        if own:
            write_parameters(place / PARAMETERS / "model.safetensors", parameters)

    return file_once(Filed(name=name, write=write, digest=digest_of(parameters), add=add), folder)


def _check_tokenizer(tokenizer: object) -> None:
    if tokenizer is None or isinstance(tokenizer, str | Path) or hasattr(tokenizer, "save_pretrained"):
        return
    if not (hasattr(tokenizer, "save") and hasattr(tokenizer, "token_to_id")):
        hint = "give one of transformers or tokenizers, or a folder with a tokenizer.json"
        raise StbuildError(f"{type(tokenizer).__name__} is no tokenizer", hint=hint)


def _write_text_side(module: "nn.Module", tokenizer: Any, folder: Path) -> None:
    """The tokenizer's files, and the tokens that end an answer, as transformers keeps them."""
    generation = getattr(module, "generation_config", None)
    ends = getattr(generation, "eos_token_id", None)
    if ends is not None:
        (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": ends}) + "\n")
    if tokenizer is None:
        return
    if isinstance(tokenizer, str | Path):
        _copy(Path(tokenizer).expanduser(), folder)
    elif hasattr(tokenizer, "save_pretrained"):
        tokenizer.save_pretrained(folder)
    else:
        tokenizer.save(str(folder / TOKENIZER))
    if not (folder / TOKENIZER).is_file():
        hint = "give a fast tokenizer: AutoTokenizer.from_pretrained(PATH, use_fast=True)"
        raise StbuildError(f"the tokenizer saves no {TOKENIZER}", hint=hint)


def _copy(source: Path, folder: Path) -> None:
    if not (source / TOKENIZER).is_file():
        raise StbuildError(f"the folder has no {TOKENIZER}", where=str(source))
    for name in (TOKENIZER, "tokenizer_config.json", "chat_template.jinja", "generation_config.json"):
        if (source / name).is_file():
            (folder / name).write_bytes((source / name).read_bytes())
