"""No launch begins before the threads of XRT sleep."""

import hashlib
import threading
import time

from stbuild.runtime.devices.xrt.scheduler import LIMIT_S, Scheduler, threads


def work(seconds: float) -> None:
    """Keep this thread at work without the interpreter's lock, as XRT's thread is."""
    begin = time.monotonic()
    hashlib.pbkdf2_hmac("sha256", b"", b"", 20_000)
    rounds = 20_000 * seconds / (time.monotonic() - begin)
    hashlib.pbkdf2_hmac("sha256", b"", b"", int(rounds))


def started(seconds: float, limit_s: float) -> tuple[threading.Thread, Scheduler]:
    """A thread that works for so long, and what awaits it."""
    before = threads()
    thread = threading.Thread(target=work, args=(seconds,), daemon=True)
    thread.start()
    return thread, Scheduler(threads() - before, limit_s)


def test_a_thread_is_awaited_until_it_sleeps_or_has_ended() -> None:
    thread, scheduler = started(0.2, limit_s=60)
    begin = time.monotonic()
    scheduler.await_sleep()
    assert time.monotonic() - begin >= 0.05
    thread.join()
    scheduler.await_sleep()


def test_a_thread_that_works_on_is_not_awaited_for_ever() -> None:
    thread, scheduler = started(2.0, limit_s=LIMIT_S)
    scheduler.await_sleep()
    assert thread.is_alive()
    thread.join()
