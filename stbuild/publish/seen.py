"""What this user has seen of each place: its key, what is published there, and the newest versions."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from securesystemslib.exceptions import Error as SigningError

from stbuild.errors import StbuildError
from stbuild.publish.keys import key_of_text
from stbuild.publish.locked import locked
from stbuild.publish.release import Release

_FILE = "publications.json"


@dataclass(frozen=True, kw_only=True)
class Version:
    """The newest version of a tag that was seen."""

    serial: int
    digest: str

    def __post_init__(self) -> None:
        if type(self.serial) is not int or not isinstance(self.digest, str):
            raise ValueError("a version is a number and a digest")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What is known of one place; `key` is the PEM of the public key that was trusted first."""

    key: str = ""
    name: str = ""
    tags: Mapping[str, Version] = field(default_factory=dict)


def seen_file() -> Path:
    """The file that keeps it, in the user's state folder."""
    home = os.environ.get("XDG_STATE_HOME")
    return (Path(home) if home else Path.home() / ".local/state") / "stbuild" / _FILE


def recall(place: str) -> Seen:
    """What is known of a place."""
    entry = _read(seen_file()).get(place)
    if entry is None:
        return Seen()
    try:
        tags = {str(tag): Version(**each) for tag, each in entry["tags"].items()}
        if entry["key"]:
            key_of_text(entry["key"])
        return Seen(key=str(entry["key"]), name=str(entry["name"]), tags=tags)
    except (TypeError, KeyError, AttributeError, ValueError, SigningError):
        raise _damaged(seen_file()) from None


def remember(place: str, key: str, release: Release, digest: str) -> None:
    """Keep the key, the name and the version of a place, unless a newer one was seen meanwhile."""
    path = seen_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.parent):
        known = recall(place)
        last = known.tags.get(release.tag)
        if last is None or release.serial > last.serial:
            tags = {**known.tags, release.tag: Version(serial=release.serial, digest=digest)}
            known = replace(known, tags=tags)
        entries = {**_read(path), place: asdict(replace(known, key=key, name=release.name))}
        new = path.with_name(f".{_FILE}.new")
        new.write_text(json.dumps(entries, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        new.replace(path)


def refuse_older(place: str, release: Release, digest: str) -> None:
    """Refuse a version that is older than one that was seen, or another one of the same number."""
    known = recall(place)
    if known.name and known.name != release.name:
        message = f"this is {release.name}, where {known.name} was before"
        raise StbuildError(message, where=place, hint=_hint(place), exit_code=1)
    last = known.tags.get(release.tag)
    if last is None or release.serial > last.serial:
        return
    where = f"{place}:{release.tag}"
    if release.serial < last.serial:
        message = f"this is version {release.serial}, and version {last.serial} was seen here before"
        hint = f"an older version stands in the place of the newest; to take it, name it by @{digest}"
        raise StbuildError(message, where=where, hint=hint, exit_code=1)
    if digest != last.digest:
        message = f"version {release.serial} has another digest than when it was seen before ({last.digest})"
        raise StbuildError(message, where=where, exit_code=1)


def refuse_other_key(place: str, key: str) -> None:
    """Refuse another key than the one that was trusted first."""
    known = recall(place).key
    if known and known != key:
        message = "the key is not the one with which this place was verified before"
        raise StbuildError(message, where=place, hint=_hint(place), exit_code=1)


def _hint(place: str) -> str:
    return f"if its publisher says that this is right, remove the entry {place!r} from {seen_file()}"


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, OSError):
        raise _damaged(path) from None
    if not isinstance(found, dict):
        raise _damaged(path)
    return found


def _damaged(path: Path) -> StbuildError:
    hint = "with it goes what was seen before: keys must be given again, and older versions are not noticed"
    return StbuildError("the file is damaged; remove it", where=str(path), hint=hint, exit_code=1)
