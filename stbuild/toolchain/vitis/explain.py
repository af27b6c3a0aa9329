"""From a log of v++, vpl, HLS or Vivado to its first real error, what that means and what to do."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from stbuild.toolchain.vitis.hls_log import pipelinings
from stbuild.toolchain.vitis.messages import Level, Message, lines_of, messages
from stbuild.toolchain.vitis.signatures import (
    COMMAND_FAILED,
    DEATHS,
    NOTES,
    WRAPPERS,
    Signature,
    failure_of,
)

_INNER = re.compile(r"caught Tcl error:\s*(?P<what>.*?)(?:, please look at the run log file|$)")
_LOG = re.compile(r"(?:run log file|see log for details:|In|Log file:)\s+'?(?P<path>[^\s',]+\.log)'?")
_SPLIT = re.compile(r"^(?:Resolution|system clock:|\s+\S)")
_LOCATED = re.compile(r"^\S+:\d+:\d+: (?:fatal )?error: ")
_COMPILER = re.compile(r"^(?:.*:\d+:\d+: )?(?:fatal )?error: ", re.IGNORECASE)
_SUCCESS = re.compile(
    r"60-586\] Created|60-791\] Total elapsed|Run Status: \w+ Complete|60-594\] Finished kernel compilation|"
    r"Implementation: C synthesis completed|completed successfully|60-2460\]|"
    r"Finished [Gg]enerating all RTL models|co-simulation finished: PASS|CSim done with 0 errors"
)
_PLAIN_ERROR = re.compile(r"^\s*(?:ERROR|FATAL)\b")


@dataclass(frozen=True, kw_only=True)
class Note:
    """A thing that a log shows beside its end."""

    line: int
    text: str
    meaning: str
    advice: str
    count: int = 1


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What a log says. `error` is its first real error at line `line`; both are empty where none was found.

    `name`, `meaning` and `advice` belong to the known failure, else they are empty. `look_at` is another log
    that this one sends its reader to. `finished` tells whether something in it ended well.
    """

    line: int = 0
    error: str = ""
    name: str = ""
    meaning: str = ""
    advice: str = ""
    look_at: str = ""
    finished: bool = False
    notes: tuple[Note, ...] = ()
    is_log: bool = True

    @property
    def failed(self) -> bool:
        """Whether an error was found."""
        return bool(self.error)


def explain(text: str) -> Explanation:
    """What the log `text` says."""
    lines = lines_of(text)
    found = list(messages(lines))
    ended = max((at for at, line in enumerate(lines, start=1) if _SUCCESS.search(line)), default=0)
    notes, finished = tuple(_notes(lines, found)), ended > 0
    look_at = _other_log(found)
    errors = [message for message in found if message.level is Level.ERROR]
    cause = next((each for each in errors if not _wraps(each)), None)
    if cause is not None:
        return _explained(lines, cause, look_at, finished, notes)
    death = _death(lines, 0 if errors else ended)
    if death is not None:
        at, signature = death
        return _known(at + 1, lines[at].strip(), signature, look_at, finished, notes)
    compiler = next((i for i, line in enumerate(lines) if _LOCATED.match(line.strip())), None)
    if errors and compiler is not None:
        told = lines[compiler].strip()
        return _known(compiler + 1, told, failure_of(told), look_at, finished, notes)
    for wrapper in errors:
        inner = _INNER.search(wrapper.text)
        if inner or wrapper is errors[-1]:
            told = inner["what"].strip() if inner else errors[0].raw
            at = wrapper.line if inner else errors[0].line
            return _known(at, told, failure_of(told), look_at, finished, notes)
    for pattern, known in ((_COMPILER, None), (COMMAND_FAILED.pattern, COMMAND_FAILED)):
        plain = next((i for i, line in enumerate(lines) if i >= ended and pattern.match(line)), None)
        if plain is not None:
            told = lines[plain].strip()
            return _known(plain + 1, told, known or failure_of(told), look_at, finished, notes)
    return Explanation(finished=finished, notes=notes, is_log=bool(found) or finished)


def _wraps(message: Message) -> bool:
    return WRAPPERS.search(message.raw) is not None and not _carries(message)


def _carries(message: Message) -> bool:
    """Whether a wrapper is printed together with the cause, which nothing else tells: `caught Tcl error`."""
    inner = _INNER.search(message.text)
    return (
        inner is not None
        and inner["what"].lstrip().startswith("ERROR:")
        and not WRAPPERS.search(inner["what"])
    )


def _explained(
    lines: list[str], cause: Message, look_at: str, finished: bool, notes: tuple[Note, ...]
) -> Explanation:
    text = " ".join([cause.raw, *_continuation(lines, cause.line)])
    return _known(cause.line, text, failure_of(text), look_at, finished, notes)


def _known(
    line: int,
    error: str,
    signature: Signature | None,
    look_at: str,
    finished: bool,
    notes: tuple[Note, ...],
) -> Explanation:
    return Explanation(
        line=line,
        error=error,
        name=signature.name if signature else "",
        meaning=signature.meaning if signature else "",
        advice=signature.advice if signature else "",
        look_at=look_at,
        finished=finished,
        notes=notes,
    )


def _continuation(lines: list[str], after: int) -> list[str]:
    """Lines that belong to the message at line `after`: indented ones, `Resolution:`, a compiler's error."""
    found = []
    if lines[after - 1].rstrip().endswith(":"):
        found = [line.strip() for line in lines[after : after + 6] if _COMPILER.match(line.strip())][:1]
    for line in lines[after : after + 3]:
        if not line.strip() or _PLAIN_ERROR.match(line) or not _SPLIT.match(line):
            break
        if next(messages([line]), None) is not None:
            break
        found.append(line.strip())
    return found


def _death(lines: Sequence[str], after: int) -> tuple[int, Signature] | None:
    """The first line that shows a failure without a message; what only mentions a file is none.

    What stands before line `after`, at which a step ended well, did not end the run.
    """
    whole = "\n".join(lines)
    known = [signature for signature in DEATHS if signature.pattern.search(whole)]
    for at, line in enumerate(lines if known else ()):
        signature = next((each for each in known if each.pattern.search(line)), None)
        if signature is None or at < after or _LOCATED.match(line):
            continue
        message = next(messages([line]), None)
        if message is None or (message.level is not Level.INFO and not after):
            return at, signature
    return None


def _other_log(found: Sequence[Message]) -> str:
    """The log that the last error sends its reader to."""
    for message in reversed(found):
        if message.level is Level.ERROR:
            logs = [match["path"] for match in _LOG.finditer(message.text)]
            if logs:
                return logs[-1]
    return ""


def _notes(lines: list[str], found: Sequence[Message]) -> list[Note]:
    notes = []
    hits: Counter[str] = Counter()
    first: dict[str, Message] = {}
    for message in found:
        if message.level is Level.ERROR:
            continue
        signature = next((each for each in NOTES if each.pattern.search(message.raw)), None)
        if signature is not None:
            hits[signature.name] += 1
            first.setdefault(signature.name, message)
    for signature in NOTES:
        if signature.name in first:
            at = first[signature.name]
            notes.append(
                Note(
                    line=at.line,
                    text=at.raw,
                    meaning=signature.meaning,
                    advice=signature.advice,
                    count=hits[signature.name],
                )
            )
    for loop in pipelinings(lines):
        if loop.target is not None and loop.final is not None and loop.final > loop.target:
            text = f"loop {loop.name!r}: II {loop.final} where {loop.target} was asked for"
            notes.append(Note(line=0, text=text, meaning="", advice=""))
    return sorted(notes, key=lambda note: note.line == 0)
