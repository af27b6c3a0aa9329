"""A release: a signed statement that a tag leads to an artefact, counted, so that an older one is noticed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PREDICATE = "urn:stbuild:release:v1"


@dataclass(frozen=True, kw_only=True)
class Release:
    """`serial` counts the versions of one tag of one artefact name from 1."""

    name: str
    tag: str
    serial: int

    def __post_init__(self) -> None:
        if self.serial < 1:
            raise ValueError(f"version {self.serial} is not from 1 on")

    def data(self) -> dict[str, Any]:
        """As the predicate."""
        return {"name": self.name, "tag": self.tag, "serial": self.serial}


def release_of(predicate: Mapping[str, Any]) -> Release:
    """The release that a predicate tells of."""
    serial = predicate["serial"]
    if type(serial) is not int:
        raise ValueError("its serial is not a whole number")
    return Release(name=str(predicate["name"]), tag=str(predicate["tag"]), serial=serial)
