"""Weights in floating point from safetensors files; matrices are rounded on reading."""

import json
from abc import abstractmethod
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from stbuild.errors import StbuildError
from stbuild.frontend.untyped import SafetensorsFile
from stbuild.frontend.weights import Checkpoint, Uses, finite, rounded
from stbuild.ir.packed import MatrixForm, PackedMatrix

INDEX_FILE, SINGLE_FILE = "model.safetensors.index.json", "model.safetensors"
FLOATS = ("F64", "F32", "F16", "BF16")
"""The number formats of safetensors that are weights as they are; integers and 8-bit floats need scales."""


class FloatCheckpoint(Checkpoint):
    """Reading and rounding over `tensor`, which gives one tensor of the checkpoint."""

    uses: Uses

    @abstractmethod
    def tensor(self, name: str) -> torch.Tensor:
        """One tensor as stored."""

    def form(self, name: str) -> MatrixForm:
        """As the graph wants it."""
        return self.uses.matrices[name].form

    def array(self, name: str) -> NDArray[np.float32]:
        """A tensor in float32."""
        return finite(self.tensor(name).to(torch.float32).numpy(), name)

    def rows(self, name: str, start: int, stop: int) -> NDArray[np.float32]:
        """Rows of a tensor in float32."""
        stored = self.tensor(name)
        rows = stored.reshape(stored.shape[-2:])[start:stop]
        return finite(rows.to(torch.float32).numpy(), name)

    def matrix(self, name: str) -> PackedMatrix:
        """A matrix, transposed if the checkpoint holds its transpose, and rounded."""
        use = self.uses.matrices[name]
        stored = self.array(name)
        transposed = np.ascontiguousarray(stored.T) if use.transposed else stored
        try:
            return rounded(transposed, use.form)
        except StbuildError as error:
            raise StbuildError(f"the tensor {name!r}: {error.message}", hint=error.hint) from error


@dataclass(frozen=True, kw_only=True, eq=False)
class SafetensorsWeights(FloatCheckpoint):
    """A Hugging Face folder or a safetensors file; `files` says where each tensor lies."""

    path: Path
    files: Mapping[str, Path]
    shapes: Mapping[str, tuple[int, ...]]
    uses: Uses

    @staticmethod
    def open(path: Path, uses: Uses) -> "SafetensorsWeights":
        """Read the headers of a file, or of the files of a folder; a damaged one is an error."""
        shapes: dict[str, tuple[int, ...]] = {}
        files: dict[str, Path] = {}
        used = set(uses.shapes)
        for file, listed in _files(path).items():
            own = _shapes(file, used)
            names = own.keys() if listed is None else listed
            missing = sorted(set(names) - set(own))
            if missing:
                raise StbuildError(
                    f"the file lacks the tensor {missing[0]!r}, which the index says it has", where=str(file)
                )
            shapes.update({n: own[n] for n in names})
            files.update(dict.fromkeys(names, file))
        return SafetensorsWeights(path=path, files=files, shapes=shapes, uses=uses)

    @property
    def source(self) -> str:
        """What the weights are."""
        return f"{self.path.name} (safetensors)"

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted(self.files))

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape as stored."""
        return self.shapes[name]

    def tensor(self, name: str) -> torch.Tensor:
        """One tensor, read now."""
        with _opened(self.files[name]) as file:
            tensor: torch.Tensor = file.get_tensor(name)
        return tensor

    def rows(self, name: str, start: int, stop: int) -> NDArray[np.float32]:
        """Rows of a tensor; the others are not read."""
        if len(self.shapes[name]) > 2:
            return FloatCheckpoint.rows(self, name, start, stop)
        with _opened(self.files[name]) as file:
            part: torch.Tensor = file.get_slice(name)[start:stop]
        return finite(part.to(torch.float32).numpy(), name)


def _files(path: Path) -> dict[Path, frozenset[str] | None]:
    """The files of a checkpoint and the tensors listed for each, or None for all that it has."""
    if path.is_file():
        return {path: None}
    index = path / INDEX_FILE
    if not index.exists():
        if (path / SINGLE_FILE).exists():
            return {path / SINGLE_FILE: None}
        raise StbuildError(f"the folder has neither {SINGLE_FILE} nor {INDEX_FILE}", where=str(path))
    places = _places(index)
    files = sorted(set(places.values()))
    return {path / f: frozenset(n for n, place in places.items() if place == f) for f in files}


def _places(index: Path) -> dict[str, str]:
    """The file of each tensor. All lie in the index's folder: no other is an input of the build."""
    try:
        places: dict[str, str] = json.loads(index.read_text())["weight_map"]
        outside = sorted(f for f in places.values() if Path(f).name != f)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StbuildError("not an index of safetensors files", where=str(index)) from error
    if outside:
        raise StbuildError(
            f"the index names {outside[0]!r}, which is not a file in its folder", where=str(index)
        )
    return places


def _shapes(file: Path, used: Set[str]) -> dict[str, tuple[int, ...]]:
    """The shapes of all tensors; those that are `used` must hold floats."""
    shapes = {}
    with _opened(file) as opened:
        for name in opened.keys():  # noqa: SIM118
            view = opened.get_slice(name)
            kind = view.get_dtype()
            if name in used and kind not in FLOATS:
                raise StbuildError(
                    f"the tensor {name!r} holds {kind} numbers, which are no weights without their scales",
                    where=str(file),
                    hint="give the unquantised checkpoint in F32, F16 or BF16, or a GGUF file",
                )
            shapes[name] = tuple(view.get_shape())
    return shapes


def _opened(file: Path) -> SafetensorsFile:
    if not file.exists():
        raise StbuildError("there is no such file, though the index names it", where=str(file))
    try:
        return safe_open(file, framework="pt")
    except (SafetensorError, OSError) as error:
        raise StbuildError(
            f"the safetensors file is truncated or damaged ({error})", where=str(file)
        ) from error
