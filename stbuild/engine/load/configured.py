"""The configuration of a build, and the values of BUILD.yaml that depend on it: `select` and `glob`."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stbuild import layout
from stbuild.errors import StbuildError, did_you_mean

Glob = Callable[[list[str], list[str]], list[str]]


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """What a build is for: the card, how it is reached, and the processor of the hosts that run it."""

    platform: str
    target: str
    cpu: str = layout.NATIVE_CPU

    @property
    def folder(self) -> str:
        """The configuration's folder below stbuild-out."""
        return layout.configuration_dir(self.platform, self.target, self.cpu)


def is_plain(value: Any) -> bool:
    """Whether nothing in a value can depend on the configuration, as in a text or a list of texts."""
    if isinstance(value, list):
        return not any(isinstance(each, list | dict) for each in value)
    return not isinstance(value, dict)


@dataclass(frozen=True, kw_only=True)
class Chooser:
    """Replaces every `{select: …}` and `{glob: …}` in the values of one place in a BUILD.yaml."""

    configuration: Configuration
    platforms: Sequence[str]
    targets: Sequence[str]
    """With the platforms, the names that an arm of `select` may have."""
    glob: Glob
    where: str

    def choose(self, value: Any) -> Any:
        """`value` for the configuration; lists in lists are joined."""
        match value:
            case {"select": dict() as arms, **rest} if not rest:
                return self.choose(self._arm(arms))
            case {"glob": include, **rest} if set(rest) <= {"exclude"}:
                return self.glob(_texts(include, self.where), _texts(rest.get("exclude", []), self.where))
            case {"glob": _, **rest}:
                unknown = next(str(name) for name in rest if name != "exclude")
                hint = did_you_mean(unknown, ["exclude"])
                raise StbuildError(f"glob has no {unknown!r}", where=self.where, hint=hint)
            case dict():
                return {key: self.choose(each) for key, each in value.items()}
            case list():
                return self._joined(value)
        return value

    def _joined(self, value: list[Any]) -> list[Any]:
        found: list[Any] = []
        for each in value:
            chosen = self.choose(each)
            special = isinstance(each, dict) and ("select" in each or "glob" in each)
            if special and isinstance(chosen, list):
                found += chosen
            else:
                found.append(chosen)
        return found

    def _arm(self, arms: Mapping[str, Any]) -> Any:
        chosen = self.configuration
        self._refuse_unknown(arms)
        pair = layout.configuration_dir(chosen.platform, chosen.target)
        for name in (pair, chosen.platform, chosen.target, "default"):
            if name in arms:
                return arms[name]
        raise StbuildError(
            f"select has no arm for {chosen.folder} among {', '.join(arms)}",
            where=self.where,
            hint="add an arm `default`",
        )

    def _refuse_unknown(self, arms: Mapping[str, Any]) -> None:
        """A misspelt arm would silently be the default."""
        pairs = itertools.product(self.platforms, self.targets)
        known = (
            *self.platforms,
            *self.targets,
            "default",
            *itertools.starmap(layout.configuration_dir, pairs),
        )
        for name in arms:
            if name not in known:
                message = f"select has an arm {name!r}, which is neither a platform nor a target"
                raise StbuildError(message, where=self.where, hint=did_you_mean(str(name), known))


def _texts(value: Any, where: str) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if isinstance(texts, list) and all(isinstance(text, str) for text in texts):
        for text in texts:
            if text.startswith("/") or ".." in text.split("/"):
                raise StbuildError(f"glob pattern {text!r} leaves the package", where=where)
        return texts
    raise StbuildError(f"glob takes a list of patterns, got {value!r}", where=where)
