"""Checks the text of a project's `model.py` before torch is imported, which takes seconds."""

import ast
import sys
from importlib.util import find_spec
from pathlib import Path

from stbuild.errors import StbuildError

FUNCTION = "def model() -> torch.nn.Module"
DECLARE = "declare a file of the project in `srcs`, install a package with pip"


def check_source(path: Path) -> None:
    """Refuse a file that is not Python, or whose text does not define `model()` without arguments."""
    if not path.is_file():
        raise StbuildError("there is no such model file", where=str(path))
    try:
        tree = ast.parse(path.read_bytes(), str(path))
        compile(tree, str(path), "exec")
    except SyntaxError as error:
        raise not_python(error, path) from None
    except ValueError as error:
        raise StbuildError(f"not Python: {error}", where=str(path)) from None
    _check_imports(tree, path)
    _check_model(tree, path)


def not_python(error: SyntaxError, path: Path) -> StbuildError:
    """The sentence for a syntax error in the model's file, or in one that it imports."""
    file = Path(error.filename) if error.filename else path
    if file.is_absolute() and file.is_relative_to(Path.cwd()):
        file = file.relative_to(Path.cwd())
    place = f"{file}:{error.lineno}" if error.lineno else str(file)
    return StbuildError(f"not Python: {error.msg}", where=place)


def _check_imports(tree: ast.Module, path: Path) -> None:
    """Refuse an import at the top of the file of a module that is neither beside it nor installed."""
    for node in tree.body:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        for top in (name.partition(".")[0] for name in names):
            beside = any((path.parent / each).exists() for each in (top, f"{top}.py"))
            if not beside and top not in sys.modules and find_spec(top) is None:
                where = f"{path}:{node.lineno}"
                raise StbuildError(f"cannot be imported: no module named {top!r}", where=where, hint=DECLARE)


def _check_model(tree: ast.Module, path: Path) -> None:
    defined = [node for node in tree.body if getattr(node, "name", None) == "model"]
    if not defined:
        if not any(_may_bind(node) for node in ast.walk(tree)):
            raise StbuildError("the file does not define model()", where=str(path), hint=f"write {FUNCTION}")
        return
    last, where = defined[-1], f"{path}:{getattr(defined[-1], 'lineno', 1)}"
    if isinstance(last, ast.AsyncFunctionDef):
        raise StbuildError("model() must not be async", where=where, hint=f"write {FUNCTION}")
    if isinstance(last, ast.FunctionDef) and (wanted := _required(last.args)):
        raise StbuildError(
            f"model() is called without arguments, this one needs {wanted!r}",
            where=where,
            hint="give it a default",
        )


def _required(args: ast.arguments) -> str | None:
    """The first argument without a default."""
    places = [*args.posonlyargs, *args.args]
    plain = places[: len(places) - len(args.defaults)]
    named = [each for each, default in zip(args.kwonlyargs, args.kw_defaults, strict=True) if default is None]
    return next((each.arg for each in (*plain, *named)), None)


def _may_bind(node: ast.AST) -> bool:
    """True for a statement that may give the name `model` another way than `def` at the top."""
    match node:
        case ast.ImportFrom() | ast.Import():
            return any(alias.name == "*" or (alias.asname or alias.name) == "model" for alias in node.names)
        case ast.Name(id="model", ctx=ast.Store()):
            return True
        case ast.FunctionDef(name="model") | ast.ClassDef(name="model"):
            return True
    return False
