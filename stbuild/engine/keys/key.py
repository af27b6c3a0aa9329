"""The key of an action: the digest of all that can change its result, kept as parts to explain it by."""

import sys
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct, field

from stbuild.engine.graph.action import Action
from stbuild.engine.graph.artifact import File
from stbuild.engine.graph.encode import encode_sorted
from stbuild.engine.keys.closure import ClosureFinder
from stbuild.engine.keys.digest import hash_bytes
from stbuild.engine.keys.includes import IncludeScanner, Source
from stbuild.engine.keys.tools import ToolBox

SALT = "stbuild-2"
"""Changes when the engine runs actions so differently that old results must not be used."""


class Key(Struct, frozen=True, kw_only=True):
    """A key, the canonical text of its parts, and the headers that the action was found to read."""

    digest: str
    parts: str
    headers: tuple[Source, ...] = ()
    seen: Mapping[str, str] = field(default_factory=dict)
    """The signature of every file that no action makes, as it was when this key was made of it."""


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
            parts["tools"] = {name: self._tools.identity(action, name) for name in sorted(action.tools)}
        if action.module:
            closure = self._closures.closure(action.module, action.where)
            parts["code"] = closure.files
            parts["packages"] = closure.distributions
            parts["python"] = f"{sys.version_info.major}.{sys.version_info.minor}"
        text = encode_sorted(parts)
        return Key(digest=hash_bytes(text), parts=text.decode(), headers=headers)
