"""What went wrong in an action, as sentences: the command, where its log is, and the line that matters."""

import importlib
import re
from dataclasses import dataclass
from pathlib import Path

from stbuild.engine.graph.action import Action
from stbuild.engine.local.executor import Outcome

_MATTERS = (
    re.compile(r"^error: .*"),
    re.compile(r".*\b(?:fatal )?error\b ?:.*", re.IGNORECASE),
    re.compile(r".*\b(?:undefined reference|cannot find|No such file|not found)\b.*"),
    re.compile(r"^\w*(?:Error|Exception)\b.*"),
)
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_STAGED = re.compile(r"(?<![\w./-])in/(?=\w)")
"""Inputs lie in `in/`; without it a path is the user's own."""
_TAIL = 200_000
_LONG_TAIL = 32 << 20


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One action that failed."""

    id: str
    label: str
    mnemonic: str
    reason: str
    line: str
    log: str
    command: str
    where: str = ""
    hint: str = ""

    def sentences(self) -> list[str]:
        """The lines that a user reads."""
        lines = [f"{self.label}: {self.mnemonic} {self.reason}"]
        if self.line:
            lines.append(f"  {self.line}")
        if self.hint:
            lines.append(f"  {self.hint}")
        if self.log:
            lines.append(f"  log: {self.log}")
        if self.command:
            lines.append(f"  rerun: {self.command}")
        return lines


def reason_of(outcome: Outcome, action: Action) -> str:
    """How an action ended that did not end well."""
    match outcome.fate:
        case "timeout":
            return f"was stopped after its time-out of {action.policy.timeout_s:g} s"
        case "memory":
            return f"was stopped: it used more than its {action.policy.resources.memory_mb} MB of memory"
        case "stopped":
            return "was stopped"
        case "writing" | "stayed":
            return f"cannot be trusted: when it ended, {outcome.process}"
    if outcome.code < 0:
        return f"was killed by signal {-outcome.code}"
    return f"failed with exit code {outcome.code}"


def limit_hint(outcome: Outcome, action: Action) -> str:
    """What to do about an action that was stopped at a limit."""
    match outcome.fate:
        case "timeout":
            return f"its time-out is declared at {action.where}, or by its rule"
        case "memory":
            used, allowed = outcome.peak_kb // 1024, action.policy.resources.memory_mb
            return (
                f"it had {used} MB of {allowed}; its memory_mb is declared at {action.where}, or by its rule"
            )
        case "writing":
            return "let the command wait for what it starts in the background, for example with `wait`"
    return ""


def explained(log: str, action: Action) -> tuple[str, str]:
    """The line of a log that tells what is wrong, and what to do about it, by a reader of the tool's logs.

    The reader is the module that the action's policy names. Without one, or where it knows nothing, the line
    is that of `line_that_matters`, and the hint is empty.
    """
    if action.policy.explain:
        reader = importlib.import_module(action.policy.explain)
        line, hint = reader.explain_failure(_text(log, _LONG_TAIL))
        if line:
            return line, hint
    return line_that_matters(log), ""


def line_that_matters(log: str) -> str:
    """The first line of a log that tells what is wrong; the last line where none stands out."""
    text = _STAGED.sub("", _COLOURS.sub("", _text(log, _TAIL)))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for pattern in _MATTERS:
        hits = [line for line in lines if pattern.match(line)]
        if hits:
            return hits[-1] if pattern is _MATTERS[-1] else hits[0]
    return lines[-1] if lines else ""


def _text(log: str, tail: int) -> str:
    try:
        return Path(log).read_bytes()[-tail:].decode(errors="replace")
    except OSError:
        return ""
