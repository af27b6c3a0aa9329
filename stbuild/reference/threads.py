"""Independent threads, each with a part of the work.

Torch splits every operation over its threads and waits for the last; where a core is shared with
other programs each of these thousands of waits costs milliseconds. Here whole parts of the work go to
threads instead, and torch itself uses one.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

import torch

Part = TypeVar("Part")
Result = TypeVar("Result")


class Mapper(Protocol):
    """Calls a function on each part, perhaps at the same time; results in the order of the parts."""

    def __call__(self, function: Callable[[Part], Result], parts: Iterable[Part], /) -> Iterable[Result]: ...


@contextmanager
def mapper() -> Iterator[Mapper]:
    """A `Mapper` over as many threads as torch has, which has one in the meantime."""
    count = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(count) as pool:
            yield pool.map
    finally:
        torch.set_num_threads(count)
