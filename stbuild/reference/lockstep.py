"""Threads that walk over the same weights side by side, so that each weight is made once for all of them."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Value = TypeVar("Value")
Result = TypeVar("Result")


class Lockstep(Generic[Value]):
    """A cache of up to `capacity` (by `size`) whose users wait for each other whenever one misses.

    A value is made once all users wait for one, the user that has waited longest first: so nobody
    runs ahead to values that the others need later. What does not fit is forgotten, oldest first.
    """

    def __init__(self, make: Callable[[str], Value], size: Callable[[Value], int], capacity: int) -> None:
        self._make, self._size, self._capacity = make, size, capacity
        self._known: OrderedDict[str, Value] = OrderedDict()
        self._changed = threading.Condition()
        self._users = 0
        self._waiting: list[int] = []

    def get(self, name: str) -> Value:
        """The value of `name`."""
        with self._changed:
            if name not in self._known:
                self._await(name)
            self._known.move_to_end(name)
            return self._known[name]

    def run(self, jobs: Sequence[Callable[[], Result]]) -> list[Result]:
        """The results of all jobs, each a user in a thread of its own; raises what one of them raises."""
        self._users = len(jobs)
        with ThreadPoolExecutor(len(jobs)) as pool:
            futures: list[Future[Result]] = [pool.submit(self._job, job) for job in jobs]
        return [future.result() for future in futures]

    def _job(self, job: Callable[[], Result]) -> Result:
        try:
            return job()
        finally:
            with self._changed:
                self._users -= 1
                self._changed.notify_all()

    def _await(self, name: str) -> None:
        me = threading.get_ident()
        self._waiting.append(me)
        self._changed.notify_all()
        self._changed.wait_for(lambda: name in self._known or self._is_my_turn(me))
        self._waiting.remove(me)
        if name not in self._known:
            self._keep(name)
            self._changed.notify_all()

    def _is_my_turn(self, me: int) -> bool:
        return self._waiting[0] == me and len(self._waiting) >= self._users

    def _keep(self, name: str) -> None:
        value = self._make(name)
        room = self._capacity - self._size(value)
        while self._known and sum(map(self._size, self._known.values())) > room:
            self._known.popitem(last=False)
        self._known[name] = value
