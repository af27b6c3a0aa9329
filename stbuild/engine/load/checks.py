"""What an action must not ask of the operating system, found before anything runs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from stbuild.engine.graph.artifact import File, Origin
from stbuild.engine.graph.names import shortened_path, text_problem

_SOURCES = (Origin.SOURCE, Origin.EXTERNAL, Origin.LIBRARY)
_SHELLS = frozenset(("bash", "dash", "ksh", "sh", "zsh"))
_OF_SHELLS = frozenset(("BASH_ENV", "BASHOPTS", "ENV", "POSIXLY_CORRECT", "SHELLOPTS"))


class Problem(NamedTuple):
    """A sentence, and the attribute that it is about as most rules call it."""

    message: str
    attribute: str


def action_problem(
    argv: Sequence[str],
    env: Mapping[str, str] | None,
    tools: Iterable[str],
    report: str,
    outputs: Iterable[File],
) -> Problem | None:
    """The first thing that no process could be started with, or None."""
    for text in argv:
        if problem := text_problem(text):
            return Problem(f"the argument {shortened_path(text)} {problem}", "cmd")
    shell = next(iter(argv), "").rpartition("/")[2] in _SHELLS
    for name, value in (env or {}).items():
        if problem := variable_problem(name, value) or (_sways_shell(name) if shell else ""):
            return Problem(problem, "env")
    for tool in tools:
        if problem := _program_problem(tool):
            return Problem(f"program {tool!r} {problem}", "programs")
    if report and all(file.made != report for file in outputs):
        return Problem(f"the report {report!r} is no output of the action", "")
    return None


def overlap(inputs: Sequence[File]) -> Problem | None:
    """Why a source and what targets make cannot both be inputs, or None.

    In an action's folder a source folder `p/weights` would hold the outputs of a target `p:weights`.
    """
    sources = {file.path for file in inputs if file.origin in _SOURCES}
    for file in inputs:
        if file.origin in _SOURCES:
            continue
        above = file.path.rpartition("/")[0]
        while above:
            if above in sources:
                sentence = f"the source {above} has the path of a target's folder, which holds {file.path}"
                return Problem(f"{sentence}; name the source otherwise", "")
            above = above.rpartition("/")[0]
    return None


def variable_problem(name: str, value: str) -> str:
    """Why there is no such environment variable, as a sentence; '' when there can be."""
    if not isinstance(name, str) or not isinstance(value, str):
        return f"environment variable {name!r} takes a text, got {value!r}"
    if not name:
        return "an environment variable has an empty name"
    if "=" in name:
        return f"the name of environment variable {name!r} holds '='"
    problem = text_problem(name)
    if problem:
        return f"the name of environment variable {name!r} {problem}"
    problem = text_problem(value)
    return f"the value of environment variable {name!r} {problem}" if problem else ""


def _sways_shell(name: str) -> str:
    """Why a shell with this variable would read its text otherwise, as a sentence; '' when it would not."""
    if name in _OF_SHELLS or name.startswith("BASH_FUNC_"):
        return f"environment variable {name!r} would change what the commands of a shell mean"
    return ""


def _program_problem(name: str) -> str:
    if "/" in name and not name.startswith("/"):
        return "is a relative path: name a program on PATH, or put the file into `tools`"
    return text_problem(name) if name else "has an empty name"
