"""The variables of a genrule's command, which name files as the action sees them."""

import re
import shlex
from collections.abc import Callable, Sequence

from stbuild.engine.graph.artifact import File

_VARIABLE = re.compile(r"\$(?:\$|<|@|\((SRCS|OUTS|@D|RULEDIR|(?:location|execpath|rootpath)s?\s+([^)]+))\))")


class Unknown(Exception):
    """A variable that cannot be replaced; its text is a sentence."""


def expand(
    text: str, srcs: Sequence[File], outs: Sequence[File], locate: Callable[[str], Sequence[File]]
) -> str:
    """`text` with `$(SRCS)`, `$<` and so on replaced by paths; `$$` is a dollar."""
    out_paths = {file.path: file.made for file in outs}

    def paths(files: Sequence[File]) -> str:
        return " ".join(shlex.quote(out_paths.get(file.path, file.staged)) for file in files)

    def replace(match: re.Match[str]) -> str:
        whole, inner, label = match.group(0), match.group(1), match.group(2)
        if whole == "$$":
            return "$"
        if whole == "$<":
            return _single(srcs, "$<", "srcs", paths)
        if whole == "$@":
            return _single(outs, "$@", "outs", paths)
        if inner == "SRCS":
            return paths(srcs)
        if inner == "OUTS":
            return paths(outs)
        if inner in ("@D", "RULEDIR"):
            return outs[0].made.rpartition("/")[0] if inner == "@D" and len(outs) == 1 else "out"
        return _located(inner.split()[0], label.strip(), locate, paths)

    return _VARIABLE.sub(replace, text)


def _single(
    files: Sequence[File], variable: str, attribute: str, paths: Callable[[Sequence[File]], str]
) -> str:
    if len(files) != 1:
        raise Unknown(f"{variable} needs exactly one file in `{attribute}`, there are {len(files)}")
    return paths(files)


def _located(
    verb: str, label: str, locate: Callable[[str], Sequence[File]], paths: Callable[[Sequence[File]], str]
) -> str:
    files = locate(label)
    if not verb.endswith("s") and len(files) != 1:
        raise Unknown(f"$({verb} {label}) stands for {len(files)} files; write $(locations {label})")
    return paths(files)
