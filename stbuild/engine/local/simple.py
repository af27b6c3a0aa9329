"""A shell's simple command, which needs no shell: to start one costs more than many a command does.

GNU make does the same. Only words that no quoting, expansion, builtin or setting of the shell can give
another meaning are read; all else, and what cannot be started so, is left to the shell and its own messages.
"""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

_FIRST = r"[A-Za-z0-9_.+-]+"
_WORD = r"[A-Za-z0-9_./%+:,@=-]+"
_SIMPLE = re.compile(rf" *({_FIRST}(?: +{_WORD})*)(?: +> *({_WORD}))?[ \n]*")
_SHELLS = {"/bin/sh": ("dash", "bash"), "/bin/bash": ("bash",)}
_FLAGS = {
    "/bin/sh": (("-c",), ("-eu", "-c")),
    "/bin/bash": (("-c",), ("-eu", "-c"), ("-euo", "pipefail", "-c")),
}
_NOT_PROGRAMS = frozenset(
    """
    . alias bg bind break builtin caller case cd chdir command compgen complete compopt continue coproc
    declare dirs disown do done echo elif else enable env esac eval exec exit export false fc fg fi for
    function getopts hash help history if in jobs kill let local logout mapfile newgrp popd printenv printf
    pushd pwd read readarray readonly return select set shift shopt source suspend test then time times trap
    true type typeset ulimit umask unalias unset until wait while
    """.split()  # noqa: SIM905  # a list of words reads better so
)
"""Builtins and reserved words of dash and bash, and the two programs that show a shell's environment."""

_OF_SHELLS = frozenset(
    """
    DIRSTACK ENV EPOCHREALTIME EPOCHSECONDS EUID FUNCNAME GROUPS HISTCMD HOSTNAME HOSTTYPE IFS LINENO MACHTYPE
    OLDPWD OPTARG OPTERR OPTIND OSTYPE PIPESTATUS POSIXLY_CORRECT PPID PS4 PWD RANDOM SECONDS SHELLOPTS SHLVL
    SRANDOM UID _
    """.split()  # noqa: SIM905  # a list of words reads better so
)
"""Variables that a shell sets, reads or drops itself."""


class Simple(NamedTuple):
    """A program with its arguments and environment, and the file that takes its output, or ''."""

    path: str
    argv: list[str]
    env: dict[str, str]
    output: str


def simple(argv: Sequence[str], env: Mapping[str, str]) -> Simple | None:
    """What `argv`, a shell with a text, comes down to in the current folder; None if a shell must read it."""
    shell = argv[0]
    if shell not in _FLAGS or tuple(argv[1:-1]) not in _FLAGS[shell]:
        return None
    found = _SIMPLE.fullmatch(argv[-1])
    if found is None or any(map(_sways_shell, env)):
        return None
    words = found[1].split()
    path = _program(words[0], env.get("PATH", ""), shell)
    if path is None:
        return None
    seen = {**env, "PWD": os.getcwd()}
    if shell == "/bin/bash":
        seen.update({"SHLVL": "1" if found[2] else "0", "_": path})
    return Simple(path, words, seen, found[2] or "")


@lru_cache(maxsize=1 << 10)
def _sways_shell(name: str) -> bool:
    """Whether a variable may change how a shell reads a text, or is one that it would not pass on."""
    return name in _OF_SHELLS or name.startswith("BASH") or not name.isidentifier()


@lru_cache
def _program(name: str, search: str, shell: str) -> str | None:
    if name in _NOT_PROGRAMS or os.path.basename(os.path.realpath(shell)) not in _SHELLS[shell]:
        return None
    if not all(map(os.path.isabs, search.split(os.pathsep))):
        return None
    return shutil.which(name, path=search)
