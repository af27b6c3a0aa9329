"""Shell commands of users: how a shell is started, and the make variables that name files in its text."""

import re
import shlex
from collections.abc import Callable, Sequence

from stbuild.engine.graph.artifact import File
from stbuild.errors import did_you_mean

SHELLS = {"bash": ("/bin/bash", "-euo", "pipefail", "-c"), "sh": ("/bin/sh", "-eu", "-c")}
"""The one contract of every command text: it ends at the first command that fails or variable that is unset.

As in Bazel, bash also lets a pipeline fail with any of its commands; a POSIX sh looks at the last one only.
"""

Locate = Callable[[str], Sequence[File]]
_PLAIN = ("SRCS", "OUTS", "@D", "RULEDIR")
_LOCATING = ("location", "locations", "execpath", "execpaths", "rootpath", "rootpaths")
_SHORT = {"<": "srcs", "@": "outs"}
_DOLLAR = re.compile(r"\$(?:([$<@])|\(([^()]*)\)|(\(.{0,20}|.|\Z))", re.DOTALL)


class Unknown(Exception):
    """A variable that cannot be replaced: a sentence, and what to do about it."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


def is_idle(text: str) -> bool:
    """Whether a command has nothing but comments and blank lines, and so would always succeed."""
    return all(not line.strip() or line.lstrip().startswith("#") for line in text.splitlines())


def among(srcs: Sequence[File], outs: Sequence[File], tools: Sequence[File], find: Locate) -> Locate:
    """What finds the files of `$(location x)`: an output by its name, else by `find`; all must be given."""
    own = {file.path.rpartition("/")[2]: file for file in outs}
    own.update((file.made.removeprefix("out/"), file) for file in outs)
    given = {file.path for file in (*srcs, *outs, *tools)}

    def locate(name: str) -> Sequence[File]:
        files = [own[name]] if name in own else find(name)
        if not all(file.path in given for file in files):
            raise Unknown(f"$(location {name}) is no input: add it to `srcs` or `tools`")
        return files

    return locate


def expand(text: str, srcs: Sequence[File], outs: Sequence[File], locate: Locate) -> str:
    """`text` with `$(SRCS)`, `$<` and so on replaced by paths; `$$` is a dollar, any other `$` a mistake."""
    out_paths = {file.path: file.made for file in outs}

    def paths(files: Sequence[File]) -> str:
        return " ".join(shlex.quote(out_paths.get(file.path, file.staged)) for file in files)

    def replace(match: re.Match[str]) -> str:
        short, inner, other = match.groups()
        if short == "$":
            return "$"
        if short:
            return paths(_single(srcs if short == "<" else outs, f"${short}", _SHORT[short]))
        if other is not None:
            raise _no_variable(other)
        match inner:
            case "SRCS":
                return paths(srcs)
            case "OUTS":
                return paths(outs)
            case "@D" if len(outs) == 1:
                return shlex.quote(outs[0].made.rpartition("/")[0])
            case "@D" | "RULEDIR":
                return "out"
        return paths(_located(inner, locate))

    return _DOLLAR.sub(replace, text)


def _single(files: Sequence[File], variable: str, attribute: str) -> Sequence[File]:
    if len(files) != 1:
        raise Unknown(f"{variable} needs exactly one file in `{attribute}`, there are {len(files)}")
    return files


def _located(inner: str, locate: Locate) -> Sequence[File]:
    verb, *label = inner.split(None, 1)[:2] if inner.strip() else ("",)
    if verb not in _LOCATING:
        raise _no_make_variable(inner)
    if not label:
        raise Unknown(f"$({inner}) needs a file or a label: $({verb} x)")
    name = label[0].strip()
    files = locate(name)
    if not verb.endswith("s") and len(files) != 1:
        raise Unknown(f"$({verb} {name}) stands for {len(files)} files; write $({verb}s {name})")
    return files


def _no_make_variable(inner: str) -> Unknown:
    known = [*_PLAIN, *_LOCATING]
    near = did_you_mean(inner, known) if inner.isidentifier() else f"known: {', '.join(known)}"
    shown = f"({_short(inner)})"
    return Unknown(f"there is no make variable ${shown}", f"{near}; for the shell's own write $${shown}")


def _no_variable(rest: str) -> Unknown:
    if rest.startswith("("):
        return Unknown(
            f"${_short(rest)} is neither a make variable nor ends as one",
            "a make variable is $(NAME), with no parentheses inside; for the shell's own write $$(…)",
        )
    return Unknown(f"${rest} is no make variable", f"for a dollar of the shell's own write $${rest}")


def _short(text: str) -> str:
    line = text.splitlines()[0] if text else ""
    return text if line == text and len(text) <= 40 else f"{line[:40]}…"
