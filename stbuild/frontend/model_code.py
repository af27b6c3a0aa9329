"""Runs the user's model code and turns its exceptions into one sentence with the source line."""

import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stbuild.errors import StbuildError

_INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
"""The folders of Python's own modules and of installed packages."""
_TRACEABLE = "branch on shapes, or use torch.where"


@contextmanager
def model_code(what: str, where: str | None = None) -> Iterator[None]:
    """Turn an exception from inside into `StbuildError`: `what` (such as `Net cannot be traced`) and why.

    `where` is the location of an exception that came through no line of the model's own.
    """
    try:
        yield
    except StbuildError:
        raise
    except (Exception, SystemExit) as error:
        place = place_of(error) or where
        if "DataDependent" in type(error).__name__:
            raise StbuildError(
                f"{what}: it reads the value of a tensor", where=place, hint=_TRACEABLE
            ) from error
        raise StbuildError(f"{what}: {reason_of(error)}", where=place) from error


def model_line(file: str, line: int | str | None) -> str:
    """`file:line`, with `file` below the current folder or below site-packages where it lies there."""
    path = Path(file)
    if "site-packages" in path.parts:
        path = Path(*path.parts[path.parts.index("site-packages") + 1 :])
    elif path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return f"{path}:{line}"


def is_model_file(file: str) -> bool:
    """True for a file that is neither PyTorch's nor ours."""
    ours = str(Path(__file__).resolve().parents[1])
    return "/torch/" not in file and not file.startswith((ours, "<"))


def reason_of(error: BaseException) -> str:
    """The kind of an exception and the first line of what it says; two if the first ends with a colon."""
    if isinstance(error, SystemExit):
        return f"it ends the program (sys.exit({'' if error.code is None else error.code}))"
    lines = [line.strip() for line in str(error).strip().splitlines()]
    said = " ".join(lines[: 2 if lines and lines[0].endswith(":") else 1])
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def place_of(error: BaseException) -> str | None:
    """The innermost line that `error` came through: of the user's own code, else of an installed model's."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if is_model_file(f.filename)]
    own = [f for f in frames if not f.filename.startswith(_INSTALLED)] or frames
    return model_line(own[-1].filename, own[-1].lineno) if own else None
