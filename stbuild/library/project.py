"""A project's files for a model in a Hugging Face folder or a GGUF file."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stbuild import layout
from stbuild.errors import StbuildError

if TYPE_CHECKING:
    from stbuild.frontend.hub_config import ModelSource

CONTEXT = 2048
"""Positions of the KV cache of a new project, if the model was made for so many."""
_ROOM_FOR_TEXT = 256
"""A context in which a chat template, a question and the start of an answer fit."""
PROMPT = "What is the capital of France?"
_FILE = re.compile(r"[a-z_]+\.(?:py|json|exported)|parameters")
_MODEL = '''"""{name}: the unmodified transformers class with the sizes of config.json."""

from pathlib import Path

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM


def model() -> nn.Module:
    """The architecture; the weights are those of BUILD.yaml."""
    config = AutoConfig.from_pretrained(Path(__file__).parent)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32)
'''
_README = """# {name}

A `{kind}` model, made by `stbuild init --model` from `{path}`.

`config.json` is a copy of what the model says of itself; {weights}.

    stbuild {name}
    stbuild run {name} {run}

`BUILD.yaml` says how long the context is and what the check against the reference asks the model.
"""


@dataclass(frozen=True, kw_only=True)
class Project:
    """The files of a project by name; `weights` says whether they are real."""

    name: str
    files: dict[str, str]
    weights: bool

    def write(self, folder: Path) -> None:
        """Write the files into `folder`."""
        for name, text in self.files.items():
            (folder / name).write_text(text, encoding="utf-8")


def make_project(
    path: Path, *, name: str | None = None, attributes: Mapping[str, object] | None = None
) -> Project:
    """The project of the model at `path`, which is read but not changed.

    `attributes` of llm_accelerator take the place of those that it would have.
    """
    source = _source(path.expanduser().absolute())
    chosen = project_name(path) if name is None else name
    return Project(
        name=chosen,
        files={
            layout.BUILD_FILE: build_file({**_attributes(source), **(attributes or {})}),
            "model.py": _MODEL.format(name=chosen),
            "config.json": source.config,
            "README.md": _readme(source, chosen),
        },
        weights=source.weights,
    )


def write_project(project: Project, folder: Path) -> None:
    """Write the files into `folder`, which must not be there yet."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        hint = "remove it, or give the project another name with --name"
        raise StbuildError(f"{folder} is there already", hint=hint) from None
    project.write(folder)


def project_name(path: Path) -> str:
    """A package's name for a model: `smollm2_135m_q4_1` for SmolLM2-135M.Q4_1.gguf."""
    text = path.expanduser().absolute().name.removesuffix(".gguf").lower()
    return re.sub(r"[^a-z0-9]+", "_", text).strip("_") or "model"


def build_file(attributes: Mapping[str, object]) -> str:
    """A BUILD.yaml with one llm_accelerator."""
    try:
        lines = "".join(f"      {name}:{_shown(value)}\n" for name, value in attributes.items())
    except TypeError as error:
        raise StbuildError(f"attributes are texts, numbers, and lists of them: {error}") from None
    return f"targets:\n  - llm_accelerator:\n{lines}"


def _shown(value: object) -> str:
    """What stands behind a name and its colon: JSON, which is YAML too, but for plain names of files."""
    if isinstance(value, str) and _FILE.fullmatch(value):
        return f" {value}"
    if isinstance(value, list | tuple) and len(value) == 1 and _FILE.fullmatch(str(value[0])):
        return f" [{value[0]}]"
    if isinstance(value, list | tuple) and value and all(isinstance(each, str) for each in value):
        return "".join(f"\n        - {json.dumps(each, ensure_ascii=False)}" for each in value)
    return f" {json.dumps(value, ensure_ascii=False)}"


def _source(path: Path) -> "ModelSource":
    """What the model says of itself; reading it takes transformers, whose import takes seconds."""
    if path.is_dir():
        from stbuild.frontend.hub_config import read_folder

        return read_folder(path)
    if not path.exists():
        hint = "give a Hugging Face folder or a .gguf file on this machine; nothing is downloaded"
        raise StbuildError(f"there is no model at {path}", hint=hint)
    if path.suffix != ".gguf":
        message = "the model is neither a folder nor a .gguf file"
        hint = "a Hugging Face folder has a config.json; of one file, give its folder"
        raise StbuildError(message, where=str(path), hint=hint)
    from stbuild.frontend.gguf_config import read_gguf

    return read_gguf(path)


def _attributes(source: "ModelSource") -> dict[str, object]:
    context = min(source.context or CONTEXT, CONTEXT)
    found: dict[str, object] = {"model": "model.py", "srcs": ["config.json"]}
    if source.weights:
        found["weights"] = str(source.path)
    found["context"] = context
    if source.weights and source.tokenizer and context >= _ROOM_FOR_TEXT:
        found["prompts"] = [PROMPT]
    return found


def _readme(source: "ModelSource", name: str) -> str:
    stay, lack = "the weights stay where they are", "there were no weights, so they are synthetic"
    speaks = source.weights and source.tokenizer
    return _README.format(
        name=name,
        kind=source.model_type,
        path=source.path,
        weights=stay if source.weights else lack,
        run=f'--prompt "{PROMPT}"' if speaks else '--tokens "1 2 3"',
    )
