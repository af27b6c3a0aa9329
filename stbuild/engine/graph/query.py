"""Questions about the target graph: deps, rdeps, somepath, kind and attr, with + - ^ between them."""

import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stbuild.engine.graph.graph import TargetNode
from stbuild.errors import StbuildError, did_you_mean

_TOKEN = re.compile(r"\s*([(),+^]|-(?=[\s(/:]))|\s*([^\s(),+^]+)")
_FUNCTIONS = ("deps", "rdeps", "somepath", "kind", "attr")
_WORDS = {"union": "+", "except": "-", "intersect": "^"}

Targets = dict[str, TargetNode]
Match = Callable[[str], list[str]]


@dataclass(kw_only=True)
class Query:
    """One question; `match` gives the labels that a pattern stands for, `rules` are those there are."""

    targets: Targets
    match: Match
    rules: Sequence[str]

    def ask(self, text: str) -> list[str]:
        """The labels that answer the question, sorted; for somepath in the order of the path."""
        tokens = deque(tokens_of(text))
        answer = self._expression(tokens)
        if tokens:
            raise StbuildError(f"query: {tokens[0]!r} is too much", hint="for example deps(//a:b) - //a:c")
        return answer

    def _expression(self, tokens: deque[str]) -> list[str]:
        left = self._term(tokens)
        while tokens and tokens[0] in ("+", "-", "^"):
            operator = tokens.popleft()
            right = self._term(tokens)
            match operator:
                case "+":
                    left = sorted({*left, *right})
                case "-":
                    left = [each for each in left if each not in right]
                case _:
                    left = [each for each in left if each in right]
        return left

    def _term(self, tokens: deque[str]) -> list[str]:
        if not tokens:
            raise StbuildError("query: the question ends too early")
        word = tokens.popleft()
        if word == "(":
            inner = self._expression(tokens)
            _expect(tokens, ")")
            return inner
        if tokens and tokens[0] == "(":
            if word not in _FUNCTIONS:
                raise StbuildError(f"query: no function {word!r}", hint=did_you_mean(word, _FUNCTIONS))
            tokens.popleft()
            answer = self._function(word, tokens)
            _expect(tokens, ")")
            return answer
        return sorted(self.match(word))

    def _function(self, name: str, tokens: deque[str]) -> list[str]:
        match name:
            case "deps":
                return sorted(self._reach(self._expression(tokens), self._below, _depth(tokens)))
            case "rdeps":
                universe = self._reach(self._expression(tokens), self._below, None)
                _expect(tokens, ",")
                above = self._above(universe)
                return sorted(self._reach(self._expression(tokens), above, _depth(tokens)) & universe)
            case "somepath":
                start = self._expression(tokens)
                _expect(tokens, ",")
                return self._path(start, set(self._expression(tokens)))
            case "kind":
                pattern = self._kind(tokens)
                return [each for each in self._expression(tokens) if pattern.search(self.targets[each].rule)]
        name, pattern = _name(tokens), _pattern(tokens)
        chosen = self._expression(tokens)
        return [each for each in chosen if pattern.search(str(dict(self.targets[each].attrs).get(name, "")))]

    def _kind(self, tokens: deque[str]) -> re.Pattern[str]:
        """A pattern that some rule fits: an empty answer says none is of it, not that it is unknown."""
        pattern = _pattern(tokens)
        if any(map(pattern.search, self.rules)):
            return pattern
        raise StbuildError(
            f"query: no rule is called {pattern.pattern!r}", hint=did_you_mean(pattern.pattern, self.rules)
        )

    def _below(self, label: str) -> Sequence[str]:
        return self.targets[label].deps

    def _above(self, universe: set[str]) -> Callable[[str], Sequence[str]]:
        above: dict[str, list[str]] = {}
        for label in sorted(universe):
            for dep in self.targets[label].deps:
                above.setdefault(dep, []).append(label)
        return lambda label: above.get(label, [])

    def _reach(
        self, start: Sequence[str], step: Callable[[str], Sequence[str]], depth: int | None
    ) -> set[str]:
        found = set(start)
        edge = list(start)
        while edge and depth != 0:
            edge = [below for label in edge for below in step(label) if below not in found]
            found.update(edge)
            depth = None if depth is None else depth - 1
        return found

    def _path(self, start: Sequence[str], goal: set[str]) -> list[str]:
        before: dict[str, str | None] = dict.fromkeys(start)
        edge = deque(start)
        while edge:
            label = edge.popleft()
            if label in goal:
                path: list[str] = []
                step: str | None = label
                while step is not None:
                    path.append(step)
                    step = before[step]
                return path[::-1]
            for below in self._below(label):
                if below not in before:
                    before[below] = label
                    edge.append(below)
        return []


def tokens_of(text: str) -> list[str]:
    """The words and signs of a question; quotes hold a word together."""
    found = []
    position = 0
    text = text.strip()
    while position < len(text):
        if text[position] in "'\"":
            end = text.find(text[position], position + 1)
            if end < 0:
                raise StbuildError("query: a quote is not closed")
            found.append(text[position + 1 : end])
            position = end + 1
            continue
        hit = _TOKEN.match(text, position)
        if hit is None:
            position += 1
            continue
        word = (hit.group(1) or hit.group(2)).strip()
        found.append(_WORDS.get(word, word))
        position = hit.end()
        while position < len(text) and text[position].isspace():
            position += 1
    return found


def _expect(tokens: deque[str], sign: str) -> None:
    if not tokens or tokens.popleft() != sign:
        raise StbuildError(f"query: a {sign!r} is missing", hint="for example rdeps(//..., //a:b)")


def _depth(tokens: deque[str]) -> int | None:
    if not tokens or tokens[0] != ",":
        return None
    tokens.popleft()
    word = tokens.popleft() if tokens else ""
    if not word.isdigit():
        raise StbuildError(f"query: a depth is a number, got {word!r}")
    return int(word)


def _name(tokens: deque[str]) -> str:
    word = tokens.popleft() if tokens else ""
    _expect(tokens, ",")
    return word


def _pattern(tokens: deque[str]) -> re.Pattern[str]:
    word = _name(tokens)
    try:
        return re.compile(word)
    except re.error as error:
        raise StbuildError(f"query: {word!r} is not a regular expression: {error}") from None
