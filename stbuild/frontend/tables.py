"""Position tables as they lie in a file: one safetensors tensor [context, width] each."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from stbuild.errors import StbuildError

Table = NDArray[np.float32]


def write_tables(path: Path, tables: Mapping[str, Table]) -> None:
    """Write all tables to one file."""
    save_file({name: np.ascontiguousarray(table) for name, table in sorted(tables.items())}, path)


def read_tables(path: Path) -> dict[str, Table]:
    """All tables of a file by name."""
    try:
        return load_file(path)
    except SafetensorError as error:
        raise StbuildError(f"not a file of position tables ({error})", where=str(path)) from error
