"""What the user's process and the worker say to each other: the worker's job, requests and answers."""

import json
import struct
from dataclasses import asdict, dataclass
from typing import Any

SYNC_TO, SYNC_FROM, WRITE, LAUNCH, NOTHING, CLOSE = b"t", b"f", b"p", b"s", b"n", b"c"
"""How a request begins, behind its number. `WRITE` has no answer: what fails is told at the next one.
`LAUNCH` is answered at the launch's end, `NOTHING` is asked for its answer only."""
WRITE_BYTES = 4096
"""A sync of so many bytes or fewer carries them in the request, which saves waiting for an answer."""

_NUMBER = struct.Struct("<Q")
_SYNC = struct.Struct("<cIQ")


@dataclass(frozen=True, kw_only=True)
class JobBuffer:
    """A buffer of the kernel with its number of pointer arguments; `file` is a path or None."""

    name: str
    bytes: int
    file: str | None
    writable: bool
    pointers: int


@dataclass(frozen=True, kw_only=True)
class Job:
    """All that the worker is told at its start. `card` is a number or a PCIe address."""

    library: str
    xclbin: str
    card: str
    kernel: str
    buffers: tuple[JobBuffer, ...]
    scalars: tuple[int, ...]
    folder: str
    parent: int
    limit_ms: int

    @property
    def shared(self) -> dict[str, int]:
        """Sizes of the buffers whose host copy both processes see."""
        return {b.name: b.bytes for b in self.buffers if b.file is None or b.writable}


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What XRT refused: the step, what it was done to, its error number; `state` of a launch."""

    step: str
    what: str = ""
    errno: int = 0
    state: int = 0


def job_text(job: Job) -> str:
    """The job as JSON."""
    return json.dumps(asdict(job))


def read_job(text: str) -> Job:
    """The inverse of `job_text`."""
    data: dict[str, Any] = json.loads(text)
    data["buffers"] = tuple(JobBuffer(**each) for each in data["buffers"])
    data["scalars"] = tuple(data["scalars"])
    return Job(**data)


def numbered(number: int, message: bytes) -> bytes:
    """A request with its number, which its answer repeats."""
    return _NUMBER.pack(number) + message


def read_number(message: bytes) -> tuple[int, bytes]:
    """The number of a request or an answer, and the rest."""
    (number,) = _NUMBER.unpack_from(message)
    return number, message[_NUMBER.size :]


def sync_request(kind: bytes, index: int, size: int) -> bytes:
    """A request to sync the first `size` bytes of buffer number `index`."""
    return _SYNC.pack(kind, index, size)


def read_sync(request: bytes) -> tuple[int, int]:
    """Index and size."""
    _, index, size = _SYNC.unpack(request)
    return index, size


def write_request(index: int, data: bytes) -> bytes:
    """A request to bring `data` to the front of buffer number `index`."""
    return _SYNC.pack(WRITE, index, len(data)) + data


def read_write(request: bytes) -> tuple[int, bytes]:
    """Index and data."""
    return read_sync(request[: _SYNC.size])[0], request[_SYNC.size :]


def launch_request(scalars: list[int]) -> bytes:
    """A request to launch the kernel and to answer when it has ended."""
    return LAUNCH + struct.pack(f"<{len(scalars)}Q", *scalars)


def read_launch(request: bytes) -> tuple[int, ...]:
    """The scalars."""
    return struct.unpack(f"<{(len(request) - 1) // 8}Q", request[1:])


def answer_text(failure: Failure | None) -> bytes:
    """An answer: what failed, if anything did."""
    return json.dumps(asdict(failure)).encode() if failure else b""


def read_answer(text: bytes) -> Failure | None:
    """The inverse of `answer_text`."""
    return Failure(**json.loads(text)) if text else None
