"""The configuration of a build, and the values of BUILD.yaml that depend on it: `select` and `glob`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stbuild import layout
from stbuild.errors import StbuildError, did_you_mean

Glob = Callable[[list[str], list[str]], list[str]]


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """What a build is for: the card, and how it is reached."""

    platform: str
    target: str

    @property
    def folder(self) -> str:
        """The configuration's folder below stbuild-out."""
        return layout.configuration_dir(self.platform, self.target)


def is_plain(value: Any) -> bool:
    """Whether nothing in a value can depend on the configuration, as in a text or a list of texts."""
    if isinstance(value, list):
        return not any(isinstance(each, list | dict) for each in value)
    return not isinstance(value, dict)


def choose(value: Any, configuration: Configuration, glob: Glob, where: str) -> Any:
    """`value` with every `{select: …}` and `{glob: …}` in it replaced; lists in lists are joined."""
    match value:
        case {"select": dict() as arms, **rest} if not rest:
            return choose(_arm(arms, configuration, where), configuration, glob, where)
        case {"glob": include, **rest} if set(rest) <= {"exclude"}:
            return glob(_texts(include, where), _texts(rest.get("exclude", []), where))
        case {"glob": _, **rest}:
            unknown = next(str(name) for name in rest if name != "exclude")
            hint = did_you_mean(unknown, ["exclude"])
            raise StbuildError(f"glob has no {unknown!r}", where=where, hint=hint)
        case dict():
            return {key: choose(each, configuration, glob, where) for key, each in value.items()}
        case list():
            return _joined(value, configuration, glob, where)
    return value


def _joined(value: list[Any], configuration: Configuration, glob: Glob, where: str) -> list[Any]:
    found: list[Any] = []
    for each in value:
        chosen = choose(each, configuration, glob, where)
        special = isinstance(each, dict) and ("select" in each or "glob" in each)
        if special and isinstance(chosen, list):
            found += chosen
        else:
            found.append(chosen)
    return found


def _arm(arms: Mapping[str, Any], configuration: Configuration, where: str) -> Any:
    for name in (configuration.folder, configuration.platform, configuration.target, "default"):
        if name in arms:
            return arms[name]
    hint = "add an arm `default`"
    raise StbuildError(
        f"select has no arm for {configuration.folder} among {', '.join(arms)}", where=where, hint=hint
    )


def _texts(value: Any, where: str) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if isinstance(texts, list) and all(isinstance(text, str) for text in texts):
        for text in texts:
            if text.startswith("/") or ".." in text.split("/"):
                raise StbuildError(f"glob pattern {text!r} leaves the package", where=where)
        return texts
    raise StbuildError(f"glob takes a list of patterns, got {value!r}", where=where)
