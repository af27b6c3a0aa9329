"""What is asked of a device in one night, and what it answers; both are JSON between two processes."""

import json
from dataclasses import asdict, dataclass
from typing import Any

Length = tuple[int, tuple[float, ...], tuple[float, ...]]
"""Tokens of the prompt, seconds to the first token of each repeat, seconds of each decode step."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A measurement; `opener` names the function `module:name` that opens the device.

    `expected` is a folder with what the reference says to the smoke prompts.
    """

    bundle: str
    device: str
    expected: str
    prompt_tokens: tuple[int, ...]
    new_tokens: int
    repeats: int
    launch_limit_s: float
    max_temperature_c: float
    opener: str = "stbuild.runtime.devices.opening:open_device"


@dataclass(frozen=True, kw_only=True)
class Runs:
    """What was measured; `seconds` are those in which the device ran."""

    described: str
    seconds: float
    compared: int
    lengths: tuple[Length, ...]
    temperatures_c: tuple[float, ...] = ()
    powers_w: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Broken:
    """Why nothing was measured; `fault` is one of `Fault`, '' for what is no device's fault."""

    fault: str
    message: str
    described: str = ""


def to_json(value: Request | Runs | Broken) -> str:
    """One of these as JSON."""
    return json.dumps(asdict(value))


def read_request(text: str) -> Request:
    """The inverse of `to_json`."""
    data: dict[str, Any] = json.loads(text)
    return Request(**{**data, "prompt_tokens": tuple(data["prompt_tokens"])})


def read_answer(text: str) -> Runs | Broken:
    """The inverse of `to_json`."""
    data: dict[str, Any] = json.loads(text)
    if "fault" in data:
        return Broken(**data)
    lengths = tuple((tokens, tuple(first), tuple(steps)) for tokens, first, steps in data["lengths"])
    readings = {name: tuple(data[name]) for name in ("temperatures_c", "powers_w")}
    return Runs(**{**data, **readings, "lengths": lengths})
