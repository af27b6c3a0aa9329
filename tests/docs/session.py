"""Runs the file and console blocks of a Markdown page in a workspace, and compares what the page shows.

A block whose info string has a path (```` ```python mine/model.py ````) is a file to write. In a block
```` ```console ```` each line `$ command` is run, and the lines below it are what it must print: its
standard output, and standard error too when it fails. `…` stands for any text in a line, a line of
nothing but `…` for any lines. ```` ```console exit=1 ```` says how the block's last command must end.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block: its language, the rest of its info string, its text, and the line it begins at."""

    language: str
    info: str
    text: str
    line: int


@dataclass(frozen=True, kw_only=True)
class Step:
    """A command and what the page says it prints."""

    command: str
    shown: str


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page that name a language."""
    text = page.read_text()
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Block(language=found[1], info=found[2] or "", text=found[3], line=line)


def steps(block: Block) -> list[Step]:
    """The commands of a console block."""
    parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)
    assert not parts[0].strip(), f"line {block.line}: a console block begins with a command"
    return [Step(command=c, shown=s) for c, _, s in (part.partition("\n") for part in parts[1:])]


def pattern(shown: str) -> re.Pattern[str]:
    """The expression that output must match."""
    lines = shown.rstrip("\n").split("\n") if shown.strip() else []
    return re.compile("".join(_line_pattern(line) for line in lines))


def _line_pattern(line: str) -> str:
    if line.strip() == "…":
        return r"(?:.*\n)*?"
    return ".*".join(re.escape(part) for part in line.rstrip().split("…")) + r"\n"


def run_page(page: Path, workspace: Path, cache: Path) -> None:
    """Do what the page says, and fail where it is not so."""
    environment = _environment(workspace.parent / "bin", cache)
    for block in blocks(page):
        if block.language == "console":
            _run_block(page, block, workspace, environment)
        elif block.info:
            file = workspace / block.info
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text)


def _run_block(page: Path, block: Block, workspace: Path, environment: dict[str, str]) -> None:
    todo = steps(block)
    for step in todo:
        expected = int(block.info.removeprefix("exit=") or 0) if step is todo[-1] else 0
        done = subprocess.run(
            ["bash", "-c", step.command], cwd=workspace, env=environment, capture_output=True, text=True
        )
        printed = done.stdout if done.returncode == 0 else done.stdout + done.stderr
        said = f"{page.name}:{block.line}: `{step.command}`"
        assert done.returncode == expected, f"{said} ends with {done.returncode}\n{done.stdout}{done.stderr}"
        lines = "".join(f"{line.rstrip()}\n" for line in printed.splitlines())
        assert pattern(step.shown).fullmatch(lines), f"{said} prints\n{lines}\nand not\n{step.shown}"


def _environment(programs: Path, cache: Path) -> dict[str, str]:
    """PATH with a `stbuild` that is this checkout's, and a cache of its own."""
    programs.mkdir()
    wrapper = programs / "stbuild"
    wrapper.write_text(f'#!/bin/sh\nPYTHONPATH={CHECKOUT} exec {sys.executable} -P -m stbuild "$@"\n')
    wrapper.chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    own = {"PATH": path, "STBUILD_CACHE": str(cache), "COLUMNS": "100", "NO_COLOR": "1"}
    own["XDG_STATE_HOME"] = str(cache / "state")
    return {k: v for k, v in os.environ.items() if k != "CI"} | own
