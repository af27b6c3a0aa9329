"""What a lowering is given: one operator's call, and the state of the whole model's lowering."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stbuild.errors import StbuildError
from stbuild.frontend import static
from stbuild.frontend.builder import Builder, describe
from stbuild.frontend.static import Statics
from stbuild.frontend.values import Cached, CacheMemory, Index, Scores, Static, Tokens, Value, Vec, Weight


@dataclass(kw_only=True)
class Lowering:
    """State while one model is lowered."""

    builder: Builder
    statics: Statics
    context: int
    names: dict[str, str]
    tables: dict[str, tuple[Static, Static]] = field(default_factory=dict)
    masks: list[Static] = field(default_factory=list)
    cached_views: dict[Any, Index] = field(default_factory=dict)

    def tensor(self, value: Any) -> Vec:
        """`value` as a vector of the token, or an error that says what it is instead."""
        if isinstance(value, Value) and not isinstance(
            value, Weight | Cached | Scores | CacheMemory | Tokens | Static
        ):
            return self.builder.vec(value)
        raise self.builder.error(f"a {describe(value)} is used where a vector of the token is needed")

    def table(self, cos: Static, sin: Static) -> str:
        """The name of the position table with these values."""
        for name, known in self.tables.items():
            if known == (cos, sin):
                return name
        name = f"rotary_{len(self.tables)}" if self.tables else "rotary"
        self.tables[name] = (cos, sin)
        return name

    def note_mask(self, mask: Static) -> None:
        """Remember an attention mask, which must prove causal at every position."""
        if all(mask.key != m.key for m in self.masks):
            self.masks.append(mask)

    def number(self, value: Any) -> Any:
        """A float for a constant tensor all of whose elements are equal; anything else as it is."""
        if not isinstance(value, Static) or value.on_position:
            return value
        tensor = static.constant(value)
        if tensor.numel() == 0 or bool((tensor != tensor.flatten()[0]).any()):
            return value
        item = tensor.flatten()[0].item()
        return item if isinstance(item, bool) else float(item)


@dataclass(frozen=True, kw_only=True)
class Call:
    """One operator of the graph with its arguments as values, and the shape of its result."""

    low: Lowering
    target: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    shape: tuple[int, ...]

    @property
    def builder(self) -> Builder:
        """The flat list of ops."""
        return self.low.builder

    def argument(self, at: int, name: str, default: Any = None) -> Any:
        """The argument at a place or with a name."""
        return self.args[at] if at < len(self.args) else self.kwargs.get(name, default)

    def error(self, why: str, hint: str | None = None) -> StbuildError:
        """A refusal that names the operator, its module and the model's source line."""
        return self.low.builder.error(why, hint)


def same_layout(a: Vec, b: Vec) -> bool:
    """True if element for element the two are the same value."""
    return a is b or (a.source == b.source and bool(np.array_equal(a.index, b.index)))
