"""SLSA provenance v1 as stbuild writes it: what was asked for, what from, and by which actions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:stbuild:build:v1"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was built: all that is needed, with the sources, to build it again."""

    label: str
    platform: str
    target: str
    cpu: str

    def data(self) -> dict[str, str]:
        """As externalParameters."""
        return {"label": self.label, "platform": self.platform, "target": self.target, "cpu": self.cpu}


def asked_of(predicate: Mapping[str, Any]) -> Asked:
    """What a predicate says was built; ValueError if it is not of our build type."""
    definition = predicate["buildDefinition"]
    if definition["buildType"] != BUILD_TYPE:
        raise ValueError(f"its build type is {str(definition['buildType'])[:80]!r}, not {BUILD_TYPE}")
    parameters = definition["externalParameters"]
    return Asked(**{name: str(parameters[name]) for name in ("label", "platform", "target", "cpu")})


@dataclass(frozen=True, kw_only=True)
class Made:
    """An action of a provenance: its key, the nodes before it, and what it made."""

    id: str
    key: str
    node: str
    after: tuple[str, ...]
    outputs: Mapping[str, str]


def made_by(predicate: Mapping[str, Any]) -> tuple[Made, ...]:
    """The actions of a predicate, producers first."""
    return tuple(_made(each) for each in predicate["runDetails"]["byproducts"])


def _made(byproduct: Mapping[str, Any]) -> Made:
    notes = byproduct["annotations"]
    return Made(
        id=str(byproduct["name"]),
        key=str(byproduct["digest"]["sha256"]),
        node=str(notes["node"]),
        after=tuple(map(str, notes["after"])),
        outputs={str(path): str(digest) for path, digest in notes["outputs"].items()},
    )
