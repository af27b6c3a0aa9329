"""A computation in a forked process, and matrices that both processes see."""

import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from mmap import mmap
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from stbuild.errors import StbuildError
from stbuild.reference.dual_run import Matrix

Result = TypeVar("Result")
POLL_S = 0.5
_FORK = multiprocessing.get_context("fork")


class SharedMatrices:
    """Float32 matrices of `shapes`, to be put there by one process and read by others forked with it."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        sizes = [int(np.prod(shape)) for shape in shapes.values()]
        memory = torch.frombuffer(mmap(-1, 4 * max(sum(sizes), 1)), dtype=torch.float32)
        parts = torch.split(memory[: sum(sizes)], sizes)
        self._places = {n: p.view(s) for (n, s), p in zip(shapes.items(), parts, strict=True)}
        self._done = _FORK.Event()

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def put(self, name: str, matrix: Matrix) -> Matrix:
        """Keep a matrix; it is given back with the shared one in it."""
        place = self._places[name]
        place.copy_(matrix.dense)
        return Matrix(dense=place, card=place if matrix.card is matrix.dense else matrix.card)

    def done(self) -> None:
        """All are there, or the process that makes them has ended."""
        self._done.set()

    def get(self, name: str, maker: "ForkedProcess[Any]") -> Tensor:
        """A matrix, once all are there."""
        while not self._done.wait(POLL_S):
            if not maker.is_alive:
                raise RuntimeError("the process that makes the matrices died")
        return self._places[name]


class ForkedProcess(Generic[Result]):
    """While it is open, a forked process computes `job`, with one thread: OpenMP's do not survive a fork.

    No thread may have multiplied matrices before. When it ends it gives its buffers back to MKL, under a
    spin lock, at a time that no `join` of Python waits for; a fork amid that leaves the lock taken for good,
    and the forked process waits for it at full speed.
    """

    def __init__(self, job: Callable[[], Result]) -> None:
        self._here, there = _FORK.Pipe(duplex=False)
        self._process = _FORK.Process(target=_send, args=(there, job), daemon=True)
        self._process.start()
        there.close()

    def __enter__(self) -> "ForkedProcess[Result]":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.join()

    @property
    def is_alive(self) -> bool:
        """Whether the process has not ended."""
        return self._process.is_alive()

    def result(self) -> Result:
        """What it gave; raises what it raised."""
        try:
            failed, value = self._here.recv()
        except EOFError:
            raise RuntimeError("the process that runs the graph died") from None
        if failed:
            raise value
        result: Result = value
        return result


def _send(out: Connection, job: Callable[[], Result]) -> None:
    torch.set_num_threads(1)
    try:
        out.send((False, job()))
    except StbuildError as error:
        out.send((True, StbuildError(error.message, where=error.where, hint=error.hint)))
    except Exception as error:  # it is raised again in the parent
        out.send((True, RuntimeError(f"running the graph failed: {type(error).__name__}: {error}")))
