"""Lines at a terminal: editing, history and its file, completion, Ctrl-C and Ctrl-D."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT

CODE = """
from stbuild.runtime.lines import lines
for line in lines(("/reset", "/exit")):
    print("got", ascii(line), flush=True)
print("ended", flush=True)
"""
WAIT_S = 20.0


class Terminal:
    """A program at a terminal of its own, whose standard output goes to a pipe."""

    def __init__(self, home: Path) -> None:
        self._key, screen = pty.openpty()
        env = {**os.environ, "XDG_STATE_HOME": str(home), "PYTHONPATH": str(CHECKOUT), "TERM": "xterm"}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", CODE],
            stdin=screen, stderr=screen, stdout=subprocess.PIPE, env=env, start_new_session=True,
        )  # fmt: skip
        os.close(screen)
        self.screen = ""

    def wait_for(self, text: str) -> None:
        """Wait until the screen shows `text` after what was waited for before."""
        end = time.monotonic() + WAIT_S
        while text not in self.screen:
            assert time.monotonic() < end, self.screen
            self.listen()
        self.screen = self.screen.partition(text)[2]

    def listen(self) -> None:
        """Take in what is shown within a moment."""
        poll = select.poll()  # a number of 1,024 or more is too large for select.select
        poll.register(self._key, select.POLLIN)
        if poll.poll(100):
            self.screen += os.read(self._key, 4096).decode(errors="replace")

    def press(self, keys: str) -> None:
        """Type at a prompt."""
        self.wait_for("\x1b[?2004h")  # the terminal is told to mark what is pasted
        self.type(keys)

    def type(self, keys: str) -> None:
        """Type at once."""
        os.write(self._key, keys.encode())

    def end(self) -> tuple[list[str], int]:
        """The lines of standard output, and the exit code."""
        out, _ = self._process.communicate(timeout=WAIT_S)
        os.close(self._key)
        return out.decode().splitlines(), self._process.returncode


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """The user's state folder."""
    yield tmp_path


def test_lines_are_edited_completed_and_remembered(home: Path) -> None:
    first = Terminal(home)
    first.press("wörld\x01hello \r")  # Ctrl-A: to the front
    first.press("/re\t")
    first.wait_for("set")
    first.type("\r")
    first.press("\x1b[200~two\nlines\x1b[201~\r")  # pasted
    first.press("\x04")
    assert first.end() == (["got 'hello w\\xf6rld'", "got '/reset'", "got 'two\\nlines'", "ended"], 0)
    assert (home / "stbuild/chat_history").stat().st_mode & 0o777 == 0o600
    second = Terminal(home)
    second.wait_for("\x1b[?2004h")
    while "rld" not in second.screen:  # The file is read while the person types already.
        second.type("\x1b[A")
        second.listen()
    second.type("!\r")
    second.press("\x04")
    assert second.end() == (["got 'hello w\\xf6rld!'", "ended"], 0)


def test_ctrl_c_drops_a_line_and_twice_ends(home: Path) -> None:
    terminal = Terminal(home)
    terminal.press("nonsense\x03")
    terminal.press("kept\r")
    terminal.press("\x03")
    terminal.wait_for("[Ctrl-C again, Ctrl-D or /exit ends the conversation]")
    terminal.press("\x03")
    lines, code = terminal.end()
    assert lines == ["got 'kept'"]
    assert code in (1, -2, 130)


def test_without_a_place_for_the_history(home: Path) -> None:
    (home / "stbuild").write_text("a file in the way")
    terminal = Terminal(home)
    terminal.wait_for("[no history is kept: ")
    terminal.press("one\r")
    terminal.press("\x1b[A\r")
    terminal.press("\x04")
    assert terminal.end() == (["got 'one'", "got 'one'", "ended"], 0)
