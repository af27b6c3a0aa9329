"""The action cache: from an action's key to the digests of what it made."""

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from stbuild.engine.store import Store, cache_error

_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Record:
    """One finished action: its outputs by their path `out/…`, what it printed, and how long it took."""

    outputs: dict[str, str]
    log: str = ""
    seconds: float = 0.0


class ActionCache:
    """One small JSON file a key, renamed into place; a torn or foreign one is a miss."""

    def __init__(self, root: Path, store: Store) -> None:
        self._root = root
        self._folder = str(root / "ac")
        self._store = store
        self._made: set[str] = set()

    def get(self, key: str) -> Record | None:
        """The record of `key`, if every content that it names is still here."""
        path = self._path(key)
        try:
            data = json.loads(Path(path).read_bytes())
            record = Record(outputs=data["outputs"], log=data["log"], seconds=data["seconds"])
            known = data["version"] == _VERSION and data["key"] == key
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if not known or not all(map(self._store.has, record.outputs.values())):
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return record

    def put(self, key: str, record: Record, *, sync: bool = False) -> None:
        """Remember a finished action, whose contents are in the store already."""
        path = self._path(key)
        folder = os.path.dirname(path)
        temporary = f"{path}.{os.getpid()}.tmp"
        fields = {"version": _VERSION, "key": key, "seconds": round(record.seconds, 3), "log": record.log}
        text = json.dumps({**fields, "outputs": record.outputs}, separators=(",", ":"))
        try:
            if folder not in self._made:
                os.makedirs(folder, exist_ok=True)
                self._made.add(folder)
            with open(temporary, "w") as stream:
                stream.write(text)
                if sync:
                    stream.flush()
                    os.fsync(stream.fileno())
            os.rename(temporary, path)
        except OSError as error:
            raise cache_error(self._root, error) from None

    def _path(self, key: str) -> str:
        return f"{self._folder}/{key[:2]}/{key}"
