"""From arguments to one of the commands, and from an error to a sentence and an exit code."""

import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from stbuild.cli.parser import parse
from stbuild.engine.repeat.noop import Saved
from stbuild.errors import StbuildError


def run(argv: Sequence[str], saved: Saved | None = None) -> int:
    """Run one command; 0 is success, 1 a build that failed, 2 wrong usage, 130 interrupted.

    `saved` is what is remembered of the same command when it last succeeded.
    """
    signal.signal(signal.SIGTERM, _terminate)
    gc.disable()  # What a build drops it refers to no more, and to look for rings took a tenth of its time.
    try:
        began = time.monotonic()
        options = parse(list(argv))
        options.began = began
        options.saved = saved
        return int(options.function(options))
    except StbuildError as error:
        print(f"error: {error}", file=sys.stderr)
        if "--verbose" in argv or "-v" in argv:
            traceback.print_exception(error.__cause__ or error)
        return error.exit_code
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("", "stbuild"):
            raise
        hint = "pip install stbuild, without --no-deps, brings all packages"
        print(f"error: the package {missing!r} is not installed here ({hint})", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except OSError as error:
        print(f"error: {error.filename or 'the system'}: {error.strerror or error}", file=sys.stderr)
        if "--verbose" in argv or "-v" in argv:
            traceback.print_exception(error)
        return 1
    except RuntimeError as error:
        if isinstance(error.__cause__, KeyboardInterrupt):  # 3.11 wraps one amid an import.
            raise KeyboardInterrupt from None
        raise


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
