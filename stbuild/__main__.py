"""`python -m stbuild`: answers at once when nothing changed, else hands over to the command line."""

import os
import sys
import time
from typing import NoReturn


def main() -> int:
    """Run the command line with this process's arguments; 130 when it was interrupted."""
    _open_closed_streams()
    try:
        return _answer()
    except KeyboardInterrupt:
        print("stopped; what had finished is kept", file=sys.stderr)
        return 130
    except OSError as error:
        return _unheard(error)


def _open_closed_streams() -> None:
    """Let a standard stream that was closed lead nowhere, before a file of ours takes its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115


def _answer() -> int:
    began = time.perf_counter()
    argv = sys.argv[1:]
    from stbuild.engine.repeat import noop

    saved = noop.load(argv)
    if saved is not None and noop.holds(saved):
        status = f"done: 0 run, {saved['count']} cached in {time.perf_counter() - began:.2f} s"
        print("\n".join([status, *saved["lines"]]))
        noop.note(argv, saved["count"])
        return 0
    from stbuild.cli.main import run

    return run(argv, saved)


def leave(code: int) -> NoReturn:
    """End at once: to give back a large graph piece by piece takes longer than all of a no-op."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError as error:
        code = _unheard(error)
    os._exit(code)


def _unheard(error: OSError) -> int:
    """The exit code when an answer could not be written; whoever went away is told nothing."""
    if isinstance(error, BrokenPipeError):
        return 141
    os.write(2, f"error: standard output cannot be written: {error.strerror}\n".encode())
    return 1


if __name__ == "__main__":
    leave(main())
