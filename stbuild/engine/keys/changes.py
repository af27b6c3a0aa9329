"""What differs between two keys of an action, in a user's words: (what, old, new)."""

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import takewhile
from typing import Any

Change = tuple[str, str, str]
Recall = Callable[[str], str | None]
"""From a digest to the text that had it, where that is remembered."""

_WORDS = {
    "argv": "command", "code": "code", "env": "variable", "inputs": "file", "outputs": "outputs",
    "packages": "package", "python": "python", "resources": "resource", "salt": "stbuild itself",
    "tools": "tool",
}  # fmt: skip
_ABSENT = "absent"
_LONG = 60
_AROUND = 20


def changes(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    *,
    recall: Recall = lambda _: None,
    maker: Callable[[str], str] = lambda _: "",
) -> list[Change]:
    """What changed between the parts of two keys.

    `maker` gives the label of the target that makes an input, '' for a source; `recall` the text of a
    parameter file, whose changed values are then told one by one.
    """
    found: list[Change] = []
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        word = _WORDS.get(name, name)
        if name == "inputs":
            found += _files(before or {}, after or {}, recall, maker)
        elif name == "argv" and before and after:
            found += _words(word, before, after)
        else:
            found += _values(word, before, after)
    return found


def _words(what: str, old: list[str], new: list[str]) -> Iterator[Change]:
    """Two commands; where they differ in the options of a step alone, option by option."""
    (names, before), (others, after) = _options(old), _options(new)
    once = len(before) + len(names) == len(old) and len(after) + len(others) == len(new)
    if names == others and once:
        yield from _values(what, before, after)
    else:
        yield (what, *_cut(" ".join(old), " ".join(new)))


def _options(argv: list[str]) -> tuple[list[str], dict[str, str]]:
    """The words that are no `--name=value`, and the others by their names."""
    options = dict(word.split("=", 1) for word in argv if word.startswith("--") and "=" in word)
    return [word for word in argv if not (word.startswith("--") and "=" in word)], options


def _files(old: Mapping[str, str], new: Mapping[str, str], recall: Recall, maker: Any) -> Iterator[Change]:
    for staged in sorted({*old, *new}):
        before, after = old.get(staged), new.get(staged)
        if before == after:
            continue
        path, label = staged.removeprefix("in/"), maker(staged)
        texts = [recall(digest) if digest else None for digest in (before, after)]
        if texts[0] is not None and texts[1] is not None:
            yield from _values(path, _parsed(texts[0]), _parsed(texts[1]))
        else:
            name = f"{path} of {label}" if label else f"file {path}"
            yield (name, (before or _ABSENT)[:12], (after or _ABSENT)[:12])


def _values(what: str, old: Any, new: Any) -> Iterator[Change]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted({*old, *new}):
            if old.get(name) != new.get(name):
                yield from _values(f"{what} {name}", old.get(name), new.get(name))
        return
    if isinstance(old, dict) != isinstance(new, dict) and (old is None or new is None):
        yield from _values(what, old or {}, new or {})
        return
    yield (what, *_cut(_text(old), _text(new)))


def _cut(old: str, new: str) -> tuple[str, str]:
    """Two long texts without most of what they begin and end with alike."""
    if max(len(old), len(new)) <= _LONG:
        return old, new
    head = _alike(old, new)
    tail = min(_alike(old[::-1], new[::-1]), len(old) - head, len(new) - head)
    start, rest = max(0, head - _AROUND), max(0, tail - _AROUND)
    return _middle(old, start, rest), _middle(new, start, rest)


def _middle(text: str, start: int, rest: int) -> str:
    return ("…" if start else "") + text[start : len(text) - rest] + ("…" if rest else "")


def _alike(one: str, other: str) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _text(value: Any) -> str:
    if value is None:
        return _ABSENT
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return " ".join(value)
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text[:12] if _is_digest(text) else text


def _is_digest(text: str) -> bool:
    plain = text.rstrip("xt")
    return len(plain) == 64 and all(c in "0123456789abcdef" for c in plain)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
