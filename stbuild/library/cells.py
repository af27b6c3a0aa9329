"""Names of notebook cells, in the place of the files that IPython pretends they are."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from stbuild.errors import StbuildError

_LINE = re.compile(r"(?:\S*/ipykernel_\d+|\bnotebook)/(\d+)\.py:(\d+)")


@contextmanager
def told_by_cell() -> Iterator[None]:
    """Let errors from inside name the cell as the notebook shows it: `cell In[3], line 7`."""
    try:
        yield
    except StbuildError as error:
        error.message = by_cell(error.message)
        error.where = by_cell(error.where) if error.where else None
        raise


def by_cell(text: str) -> str:
    """`text` with the places in it that lie in cells of this process's notebook named by their cells."""
    numbers = _numbers()

    def name(match: re.Match[str]) -> str:
        number = numbers.get(match[1])
        return match[0] if number is None else f"cell In[{number}], line {match[2]}"

    return _LINE.sub(name, text)


def _numbers() -> dict[str, int]:
    """The execution count of each cell by the number in its file's name; none outside of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    files = getattr(getattr(shell, "compile", None), "_filename_map", {})
    return {file.rpartition("/")[2].removesuffix(".py"): number for file, number in files.items()}
