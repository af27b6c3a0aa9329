"""The lines of a conversation: typed at a terminal with editing and history, or read from a file."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from stbuild.errors import StbuildError

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import History

PROMPT = "> "
_ONCE = "[Ctrl-C again, Ctrl-D or /exit ends the conversation]"


def lines(commands: Sequence[str]) -> Iterator[str]:
    """The lines of standard input; at a terminal `commands` are completed with the tab key."""
    if all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr)):
        return typed(_session(commands))
    return read(sys.stdin.buffer) if sys.stdin is not None else iter(())


def read(stream: BinaryIO) -> Iterator[str]:
    """The lines of a stream of UTF-8."""
    for number, line in enumerate(stream, start=1):
        try:
            yield line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            where, hint = f"standard input, line {number}", "convert the text, for example with iconv"
            raise StbuildError(f"not UTF-8 text: {error.reason}", where=where, hint=hint) from None


def typed(session: "PromptSession[str]") -> Iterator[str]:
    """The lines of a terminal until Ctrl-D.

    Ctrl-C drops the line; a second one right after it is a KeyboardInterrupt.
    """
    interrupted = False
    while True:
        try:
            line = session.prompt(PROMPT)
        except EOFError:
            return
        except KeyboardInterrupt:
            if interrupted:
                raise
            interrupted = True
            print(_ONCE, file=sys.stderr)
            continue
        interrupted = False
        yield line


def _session(commands: Sequence[str]) -> "PromptSession[str]":
    """A prompt on standard error, since standard output carries the answers."""
    try:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.completion import WordCompleter
        from prompt_toolkit.output.vt100 import Vt100_Output
    except ImportError:
        package = "prompt_toolkit"
        message = f"a conversation at a terminal needs the Python package {package}"
        raise StbuildError(message, hint=f"pip install {package}") from None
    output = Vt100_Output.from_pty(sys.stderr, term=os.environ.get("TERM"))
    output.enable_cpr = False  # Else it warns of terminals that do not tell where their cursor is.
    return PromptSession(
        history=_history(),
        completer=WordCompleter(list(commands), sentence=True),
        complete_while_typing=False,
        output=output,
    )


def history_file() -> Path:
    """Where messages are kept for the next conversation: the user's state folder, as XDG names it."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(state) / "stbuild/chat_history"


def _history() -> "History":
    """The history in its file, which only its owner may read; where there can be none, one in memory."""
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    path = history_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600))
    except OSError as error:
        print(f"[no history is kept: {path}: {error.strerror}]", file=sys.stderr)
        return InMemoryHistory()
    return FileHistory(str(path))
