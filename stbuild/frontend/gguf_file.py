"""A GGUF file's metadata and tensors as they are stored, checked to be whole."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stbuild.errors import StbuildError
from stbuild.frontend.gguf_reader import GgufReader
from stbuild.frontend.untyped import AnyArray, GgufValue


@dataclass(frozen=True, kw_only=True)
class GgufTensor:
    """A tensor's shape (rows first), the name of its number format, and its bytes [rows, bytes]."""

    shape: tuple[int, ...]
    format: str
    data: AnyArray


@dataclass(frozen=True, kw_only=True)
class GgufFile:
    """An open GGUF file; the tensors are memory-mapped."""

    path: Path
    fields: Mapping[str, GgufValue]
    tensors: Mapping[str, GgufTensor]

    @staticmethod
    def open(path: Path) -> "GgufFile":
        """Read the header of the file at `path`; anything else or a truncated file is an error."""
        if not path.is_file():
            raise StbuildError("there is no such GGUF file", where=str(path))
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise StbuildError("not a GGUF file: it does not start with GGUF", where=str(path))
        try:
            reader = GgufReader(path)
        except (ValueError, IndexError, KeyError, struct.error, OverflowError, UnicodeDecodeError) as error:
            raise StbuildError(
                f"the GGUF file is truncated or damaged: its {path.stat().st_size:,} bytes end too early",
                where=str(path),
            ) from error
        tensors = {t.name: _tensor(t) for t in reader.tensors}
        return GgufFile(path=path, fields=reader.fields, tensors=tensors)

    def value(self, key: str, default: GgufValue = None) -> GgufValue:
        """A metadata value by its full key, such as `general.architecture`."""
        field = self.fields.get(key)
        try:
            return default if field is None else field.contents()
        except (ValueError, IndexError) as error:
            raise StbuildError(f"the GGUF file's {key!r} is damaged", where=str(self.path)) from error

    @property
    def architecture(self) -> str:
        """For example `llama`."""
        return str(self.value("general.architecture", "unknown"))

    def model_value(self, key: str, default: GgufValue = None) -> GgufValue:
        """A metadata value of the architecture, such as `block_count`."""
        return self.value(f"{self.architecture}.{key}", default)

    def model_count(self, key: str, *, most: int, default: int | None = None) -> int:
        """A count of the architecture, such as `block_count`: 1 to `most`, else a StbuildError."""
        found = self.model_value(key, default)
        if not isinstance(found, int) or not 1 <= found <= most:
            raise StbuildError(
                f"the GGUF file's {self.architecture}.{key} is {found!r}, must be 1 to {most}",
                where=str(self.path),
                hint="its metadata is damaged, or another model's",
            )
        return found


def _tensor(tensor: GgufValue) -> GgufTensor:
    shape = tuple(int(n) for n in reversed(tensor.shape.tolist()))
    return GgufTensor(shape=shape, format=str(tensor.tensor_type.name), data=np.asarray(tensor.data))
