"""The key of an action: the digest of all that can change its result, kept as parts to explain it by."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stbuild.engine.action import Action
from stbuild.engine.artifact import File
from stbuild.engine.closure import ClosureFinder
from stbuild.engine.digest import hash_bytes
from stbuild.engine.includes import IncludeScanner, Source
from stbuild.engine.tools import ToolBox

SALT = "stbuild-1"
"""Changes when the engine runs actions so differently that old results must not be used."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """A key, the canonical text of its parts, and the headers that the action was found to read."""

    digest: str
    parts: str
    headers: tuple[Source, ...] = ()


class KeyMaker:
    """Computes keys once the digests of all inputs are known."""

    def __init__(
        self,
        closures: ClosureFinder,
        scanner: IncludeScanner,
        tools: ToolBox,
        digest_of: Callable[[File], str],
    ) -> None:
        self._closures = closures
        self._scanner = scanner
        self._tools = tools
        self._digest_of = digest_of

    def key(self, action: Action) -> Key:
        """The key of `action` as things are now."""
        headers = (
            tuple(self._scanner.headers(action.cxx.sources, action.cxx.folders)) if action.cxx.sources else ()
        )
        inputs = {file.staged: self._digest_of(file) for file in action.inputs}
        inputs.update((header.file.staged, self._digest_of(header.file)) for header in headers)
        inputs.update((file.staged, self._digest_of(file)) for file in action.cxx.sources)
        parts: dict[str, Any] = {
            "argv": action.argv,
            "inputs": inputs,
            "outputs": [file.made for file in action.outputs],
            "salt": SALT,
        }
        if action.env:
            parts["env"] = dict(action.env)
        if action.policy.resources.semantic:
            parts["resources"] = dict(action.policy.resources.semantic)
        if action.tools:
            parts["tools"] = {
                n: self._tools.identity(n, action.argv, action.where) for n in sorted(action.tools)
            }
        if action.module:
            closure = self._closures.closure(action.module, action.where)
            parts["code"] = closure.files
            parts["packages"] = closure.distributions
            parts["python"] = f"{sys.version_info.major}.{sys.version_info.minor}"
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
        return Key(digest=hash_bytes(text.encode()), parts=text, headers=headers)


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What changed between the parts of two keys: (what, old, new), each text short."""
    found = []
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        if isinstance(before, dict) and isinstance(after, dict):
            changed = [each for each in sorted({*before, *after}) if before.get(each) != after.get(each)]
            found += [
                (f"{name} {each}", _short(before.get(each)), _short(after.get(each))) for each in changed
            ]
        else:
            found.append((name, _short(before), _short(after)))
    return found


def _short(value: Any) -> str:
    if value is None:
        return "absent"
    text = " ".join(value) if isinstance(value, list) and all(isinstance(v, str) for v in value) else None
    text = text or (value if isinstance(value, str) else json.dumps(value, sort_keys=True))
    plain = text.rstrip("xt")
    return text[:12] if len(plain) == 64 and all(c in "0123456789abcdef" for c in plain) else text
