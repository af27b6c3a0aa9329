"""A model that was exported in the process that made it: a folder with two programs of torch.export.

`decode.pt2` takes one token, `prefill.pt2` several; `about.json` has what programs do not hold. The
programs hold buffers but no weights: modules that differ only in weights give equal bytes.
"""

import json
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.export import ExportedProgram

from stbuild.errors import StbuildError
from stbuild.frontend.model_code import is_model_file
from stbuild.frontend.trace import TracedModel

DECODE, PREFILL, ABOUT = "decode.pt2", "prefill.pt2", "about.json"
_FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\S+)\n *([^\n]*)')
_CELL = re.compile(r".*/ipykernel_\d+/(\d+)\.py")
CELLS = "notebook"
"""The folder that cells of a notebook seem to lie in: their own has the number of a process in its name."""


@dataclass(frozen=True, kw_only=True)
class ExportedModel:
    """One decode step and a prefill of a model."""

    decode: TracedModel
    prefill: TracedModel

    def traced(self, tokens: int) -> TracedModel:
        """The step that takes `tokens` tokens."""
        return self.decode if tokens == self.decode.tokens else self.prefill


def write_exported(model: ExportedModel, folder: Path) -> None:
    """Write the programs; the same model gives the same bytes in any process."""
    for name, traced in ((DECODE, model.decode), (PREFILL, model.prefill)):
        _canonical(traced.program)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of parameters, of which there is one element each
            torch.export.save(traced.program, folder / name)
    one = model.decode
    about = {
        "context": one.context,
        "layers": one.layers,
        "names": one.names,
        "prefill_tokens": model.prefill.tokens,
    }
    (folder / ABOUT).write_text(json.dumps(about, indent=1, sort_keys=True) + "\n")


def read_exported(folder: Path) -> ExportedModel:
    """The model in a folder that `write_exported` has written."""
    try:
        about = json.loads((folder / ABOUT).read_text())
        sizes = {"names": about["names"], "context": about["context"], "layers": about["layers"]}
        prefill_tokens = int(about["prefill_tokens"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"not an exported model: {ABOUT} cannot be read: {error}"
        raise StbuildError(message, where=str(folder), hint="export it again") from error
    decode = TracedModel(program=_program(folder / DECODE), tokens=1, **sizes)
    prefill = TracedModel(program=_program(folder / PREFILL), tokens=prefill_tokens, **sizes)
    return ExportedModel(decode=decode, prefill=prefill)


def _program(path: Path) -> ExportedProgram:
    try:
        return torch.export.load(path)
    except Exception as error:  # a damaged archive may raise any exception
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        hint = "export the model again, with the PyTorch that is installed now"
        raise StbuildError(f"not an exported program: {reason}", where=str(path), hint=hint) from error


def _canonical(program: ExportedProgram) -> None:
    """Leave in each node's trace the model's own lines only, by names that other processes have too."""
    for node in program.graph.nodes:
        frames = _FRAME.findall(node.meta.get("stack_trace") or "")
        own = [frame for frame in frames if is_model_file(frame[0])]
        node.meta["stack_trace"] = "\n".join(
            f'File "{_place(file)}", line {line}, in {function}\n    {code}'
            for file, line, function, code in own
        )


def _place(file: str) -> str:
    cell = _CELL.fullmatch(file)
    if cell:
        return f"{CELLS}/{cell[1]}.py"
    _, installed, below = file.rpartition("/site-packages/")
    return f"{installed}{below}".lstrip("/") if installed else file
