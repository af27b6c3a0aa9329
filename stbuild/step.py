"""A step: one typed value of arguments, from which its command, its parser and its checks derive."""

import gc
import os
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Any,
    Generic,
    TypeVar,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
    overload,
)  # fmt: skip

from stbuild.errors import StbuildError

F = TypeVar("F")
"""What a file of a step is: `File` where a rule declares it, `Path` where the step runs."""
T = TypeVar("T")
S = TypeVar("S", bound="Step[Any]")
_EXTERNAL = "in/external/"
_PLAIN = (str, int, float, bool)


class Role(Enum):
    """What a field is to the step."""

    INPUT = "an input"
    OUTPUT = "a file that the step makes"
    OUTPUT_TREE = "a folder that the step makes"


@overload
def arg(about: str) -> Any: ...
@overload
def arg(about: str, *, default: T) -> T: ...
def arg(about: str, *, default: Any = MISSING) -> Any:
    """A setting, or a file or folder that the step reads; `about` is its line in `--help`."""
    return field(default=default, metadata={"about": about, "role": Role.INPUT})


def out(about: str) -> Any:
    """A file that the step makes."""
    return field(metadata={"about": about, "role": Role.OUTPUT})


def out_tree(about: str) -> Any:
    """A folder that the step makes."""
    return field(metadata={"about": about, "role": Role.OUTPUT_TREE})


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(arg, out, out_tree))
class Step(Generic[F]):
    """A step of a build; a subclass is a frozen dataclass with keyword arguments, one in a module.

    A field is annotated `F`, `F | None` or `tuple[F, ...]` (files and folders), the same of `str`, `int`,
    `float` or an enum (settings), `bool` (a flag), or with a dataclass, which the command reads from a JSON
    file. A rule makes a `Step[File]` and hands it to `ctx.step`; its action runs `python -m` the module, in
    which `main` makes the equal `Step[Path]` of the command line and runs it. The class is the action's
    mnemonic, its docstring what `--help` says. Rules import the module, so heavy imports stand inside `run`.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        dataclass(frozen=True, kw_only=True)(cls)

    def __post_init__(self) -> None:
        for each in parameters_of(type(self)):
            each.check(type(self).__name__, getattr(self, each.name))

    def run(self: "Step[Path]") -> None:
        """Make the outputs of the inputs; a user's mistake is a StbuildError."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A field of a step: a value of `kind` (F is a file), several if `many`, perhaps none if `optional`."""

    name: str
    about: str
    role: Role
    kind: Any
    many: bool
    optional: bool
    default: Any

    @property
    def option(self) -> str:
        """Its name on the command line."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def is_file(self) -> bool:
        """Whether it holds files or folders."""
        return self.kind is F

    @property
    def is_record(self) -> bool:
        """Whether the command reads it from a JSON file."""
        return is_dataclass(self.kind)

    def values(self, step: "Step[F]") -> tuple[Any, ...]:
        """What the step has for it, one by one; a flag that is off and None are nothing."""
        value = getattr(step, self.name)
        if self.many:
            return tuple(value)
        return () if value is None or value is False else (value,)

    def check(self, step: str, value: Any) -> None:
        """Refuse a value of another type."""
        if self.optional and value is None:
            return
        values = value if self.many else (value,)
        if not isinstance(values, tuple) or not all(map(self._fits, values)):
            raise TypeError(f"{step}: {self.name} takes {self._shown()}, got {value!r}")

    def _fits(self, value: object) -> bool:
        if self.is_file:
            return value is not None
        return type(value) is self.kind or (self.kind is float and type(value) is int)

    def _shown(self) -> str:
        name = "File" if self.is_file else self.kind.__name__
        return f"a tuple of {name}" if self.many else f"{name} or None" if self.optional else name


def parameters_of(kind: type[Step[Any]]) -> tuple[Parameter, ...]:
    """The fields of a step in their order."""
    hashable: Any = kind  # mypy takes a class of frozen values for one that has no hash itself
    return _parameters(hashable)


def arguments(step: Step[F], file_of: Callable[[str, object], F]) -> Iterator[str | tuple[str, Any]]:
    """The command line of a step, each option with its value; `file_of` makes a JSON file of a record."""
    for each in parameters_of(type(step)):
        for value in each.values(step):
            if each.kind is bool:
                yield each.option
            elif each.is_record:
                yield f"{each.option}=", file_of(each.name, value)
            else:
                yield f"{each.option}=", value if each.is_file else _text(value)


def parse(kind: type[S], argv: Sequence[str]) -> S:
    """The step whose `arguments` are `argv`, with a Path for each file."""
    found = vars(_parser(kind).parse_args(argv))
    return kind(**{each.name: _value(each, found[each.name]) for each in parameters_of(kind)})


def main(kind: type[Step[Any]]) -> None:
    """Run the step that the command line names; a StbuildError is `error: sentence` and status 1."""
    try:
        parse(kind, sys.argv[1:]).run()
    except StbuildError as error:
        error.where = _at_home(error.where)
        sys.exit(f"error: {error}")


@contextmanager
def uncollected() -> Iterator[None]:
    """Imports of large libraries are a fifth quicker while the garbage collector does not look at them."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@cache
def _parameters(kind: Any) -> tuple[Parameter, ...]:
    hints = get_type_hints(kind)
    found = tuple(_parameter(kind, each, hints[each.name]) for each in fields(kind))
    if kind.run is Step.run:
        raise TypeError(f"{kind.__name__} has no function `run`, which makes its outputs")
    return found


def _parameter(kind: type[Step[Any]], item: Any, hint: Any) -> Parameter:
    arms = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    (one, *more) = [arm for arm in arms if arm is not NoneType]
    many = get_origin(one) is tuple
    base = get_args(one)[0] if many else one
    choice = isinstance(base, type) and issubclass(base, Enum)
    known = base is F or base in _PLAIN or is_dataclass(base) or choice
    flag = base is bool and (many or NoneType in arms)
    if more or not known or flag or "role" not in item.metadata:
        raise TypeError(f"{kind.__name__}.{item.name}: {hint} is no annotation of a step's argument")
    return Parameter(
        name=item.name, about=item.metadata["about"], role=item.metadata["role"], kind=base, many=many,
        optional=NoneType in arms, default=item.default,
    )  # fmt: skip


def _text(value: object) -> str:
    return str(value.value) if isinstance(value, Enum) else str(value)


def _parser(kind: type[Step[Any]]) -> ArgumentParser:
    parser = ArgumentParser(prog=kind.__name__, description=kind.__doc__, allow_abbrev=False)
    for each in parameters_of(kind):
        if each.kind is bool:
            parser.add_argument(each.option, action="store_true", help=each.about)
        elif each.many:
            parser.add_argument(each.option, action="append", default=[], help=f"{each.about}, repeated")
        else:
            needed = not each.optional and each.default is MISSING
            parser.add_argument(each.option, required=needed, help=each.about)
    return parser


def _value(parameter: Parameter, found: Any) -> Any:
    """What the command line says of a parameter, in its own type."""
    if parameter.many:
        return tuple(_one(parameter, each) for each in found)
    if found is None:
        return None if parameter.optional else parameter.default
    return _one(parameter, found)


def _one(parameter: Parameter, text: Any) -> Any:
    kind = parameter.kind
    if kind in (bool, str):
        return text
    if parameter.is_file:
        return Path(text)
    if parameter.is_record:
        return _record(kind, Path(text))
    values = {str(each.value): each for each in kind} if issubclass(kind, Enum) else None
    try:
        return values[text] if values is not None else kind(text)
    except (KeyError, ValueError):
        takes = f"one of {', '.join(values)}" if values is not None else f"a value of type {kind.__name__}"
        raise StbuildError(f"{parameter.option} takes {takes}, got {text!r}") from None


def _record(kind: type[T], path: Path) -> T:
    import msgspec  # Late: only some steps have a record.

    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.ValidationError as error:
        raise StbuildError(f"no {kind.__name__}: {error}", where=str(path)) from error


def _at_home(where: str | None) -> str | None:
    """A place in a file from outside the workspace, which is linked below `in/external`, by its own path."""
    if where is None or not where.startswith(_EXTERNAL):
        return where
    name, slash, below = where.removeprefix(_EXTERNAL).partition("/")
    return os.path.realpath(_EXTERNAL + name) + slash + below
