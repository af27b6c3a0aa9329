"""The command of a step, and which file does not fit the field that it is given for."""

from collections.abc import Callable, Container
from typing import Any

from stbuild.engine.graph.artifact import File, Origin, Tree
from stbuild.engine.load.render import Argument
from stbuild.step import Parameter, Role, Step, arguments, parameters_of

PLUGIN_MODULES = "stbuild_plugins."
"""What the names of modules begin with that are loaded from a file of a plugin folder."""


def step_argv(step: Step[File], file_of: Callable[[str, object], File]) -> tuple[Argument, ...]:
    """`python -m` the step's module with its arguments; `file_of` makes an input of a record."""
    return ("python", "-m", type(step).__module__, *arguments(step, file_of))


def step_problem(step: Step[File], free: Container[str]) -> str:
    """The first file that its field does not take, as a sentence, or ''; those in `free` nobody makes yet."""
    kind = type(step)
    if kind.__module__.startswith(PLUGIN_MODULES):
        return f"step {kind.__name__} stands in the file of a rule; put it into a module of a package"
    for parameter in parameters_of(kind):
        for value in parameter.values(step) if parameter.is_file else ():
            if problem := _file_problem(parameter, value, free):
                return f"{kind.__name__}: {parameter.name} {problem}"
    return ""


def _file_problem(parameter: Parameter, value: Any, free: Container[str]) -> str:
    if not isinstance(value, File):
        return f"takes a File, got {value!r}"
    new = value.origin is Origin.OUTPUT and value.path in free
    match parameter.role:
        case Role.INPUT if new:
            return f"is an input, and no action declared before makes {value.path}"
        case Role.OUTPUT | Role.OUTPUT_TREE if not new:
            return f"is an output, and {value.path} is an input or made by another action"
        case Role.OUTPUT if isinstance(value, Tree):
            return f"takes a file: declare {value.path} with ctx.output"
        case Role.OUTPUT_TREE if not isinstance(value, Tree):
            return f"takes a folder: declare {value.path} with ctx.output_tree"
    return ""
