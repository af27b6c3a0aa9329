"""The files of a smoke run: what is compared, what the reference is asked, and what was measured."""

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DIGEST_BYTES = 8


@dataclass(frozen=True, kw_only=True)
class Record:
    """One prompt: `hidden[value][run]` has a digest per token taken in, `logits` one per token made."""

    prompt: tuple[int, ...]
    tokens: tuple[int, ...]
    hidden: dict[str, tuple[tuple[str, ...], ...]]
    logits: tuple[str, ...]
    text: str = ""
    device: str = ""
    """What made it, for a person; of the reference it is empty."""


@dataclass(frozen=True, kw_only=True)
class PromptTokens:
    """One prompt and the tokens that the device made."""

    prompt: tuple[int, ...]
    tokens: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class SmokeTokens:
    """All that the reference needs of a smoke run."""

    prompts: tuple[PromptTokens, ...]


@dataclass(frozen=True, kw_only=True)
class PromptTime:
    """How long one prompt took on this host; `decode_steps` launches made all tokens but the first."""

    prompt_seconds: float
    decode_seconds: float
    decode_steps: int


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What differs from run to run, which no action reads; `speed` is a closing line of the build."""

    speed: str
    prompts: tuple[PromptTime, ...]


def hidden_key(block: str, slot: int) -> str:
    """What a record calls the carried value `slot` that leaves the runs of `block`."""
    return f"{block}_tail_{slot}"


def digest(vector: NDArray[np.int32]) -> str:
    """A digest of the integers of one vector."""
    data = np.ascontiguousarray(vector, dtype="<i4").tobytes()
    return blake2b(data, digest_size=DIGEST_BYTES).hexdigest()


def record_path(folder: Path, number: int) -> Path:
    """The file of prompt `number`."""
    return folder / f"prompt_{number}.json"


def record_paths(folder: Path) -> list[Path]:
    """All records of a run in order."""
    count = sum(1 for _ in folder.glob("prompt_*.json"))
    return [record_path(folder, i) for i in range(count)]
