"""What a node of the ATen graph stands for while it is lowered.

Nothing here is an op yet: patterns such as `x * rsqrt(mean(x * x) + eps)` are followed value by value
and become an op when someone needs the result.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np
import torch
from numpy.typing import NDArray

from stbuild.frontend.untyped import FxValue

Index = NDArray[np.int64]
Function = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, kw_only=True, eq=False)
class Vec:
    """A tensor whose elements are those of the op `source`: `index` holds token * width + element."""

    source: str
    width: int
    index: Index


@dataclass(frozen=True, kw_only=True, eq=False)
class Centered:
    """`x` minus its mean over each `segment` elements."""

    x: Vec
    segment: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Expr:
    """A function of one value, element by element: `target(*args, **kwargs)`.

    `args` holds numbers and sub-expressions; `BASE` among them is the value itself.
    """

    base: "Vec | Centered"
    target: Callable[..., torch.Tensor]
    args: tuple[FxValue, ...]
    kwargs: tuple[tuple[str, FxValue], ...] = ()


class Base:
    """The value that an expression is a function of."""


BASE = Base()


@dataclass(frozen=True, kw_only=True, eq=False)
class Statistic:
    """`function` of one number per `segment` elements of `x`: its mean, mean square or variance.

    `function` is `BASE` or an `Expr` of the number; `index` holds the number of the segment.
    """

    x: Vec
    segment: int
    kind: str
    index: Index
    function: "Base | Expr"


@dataclass(frozen=True, kw_only=True, eq=False)
class Normed:
    """`gain` times the norm of `x`, times `weight`, plus `bias`.

    `exact` is the formula of the factor for which 1 / sqrt(mean + eps) stands, if it is another.
    """

    x: Vec
    segment: int
    eps: float
    center: bool
    gain: float = 1.0
    exact: str = ""
    weight: "Weight | None" = None
    bias: "Weight | None" = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Joined:
    """Tensors concatenated along the dimension `dim`."""

    parts: tuple["Value", ...]
    dim: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Signed:
    """Elements `x`, each times `sign`, which is 1 or -1."""

    x: Vec
    sign: Index


@dataclass(frozen=True, kw_only=True, eq=False)
class PositionProduct:
    """The sum of products of vectors with numbers that depend on the position alone."""

    terms: tuple[tuple["Vec | Signed", "Static"], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Rotated:
    """The first `half * 2` elements of heads, `x`, after the rotary embedding by a row of a `table`.

    Pairs are neighbours if `interleaved`, and stand along a last dimension of 2 until they are flattened.
    """

    x: Vec
    table: tuple[str, int]
    half: int
    interleaved: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Weight:
    """`scale * w + offset` of the parameter `name`; `shape` is what the graph sees."""

    name: str
    shape: tuple[int, ...]
    transposed: bool = False
    scale: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Cached:
    """Keys or values of all positions, times `scale`; `index` is the element of `x` at any position."""

    x: Vec
    heads: int
    index: Index
    scale: float = 1.0


class Stage(Enum):
    """The last recognised step of written-out attention; `TOP` and `SUM` have one number per query."""

    SCORES = "scores"
    TOP = "top"
    POWERS = "powers"
    SUM = "sum"
    WEIGHTS = "weights"


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """Products of the queries `q` with the cached keys `k`, times `scale`, plus `mask`, and their softmax.

    `index` holds (token * heads + head) * context + position, or -1 for a sink. Behind a soft cap, scores
    are `scale * tanh(capped * products)`. What a softmax that is written out takes from the same scores
    shares `of`.
    """

    q: Vec
    k: Cached
    heads: int
    head_dim: int
    index: Index
    scale: float
    mask: "Static | None"
    of: object
    stage: Stage = Stage.SCORES
    capped: float = 0.0
    sinks: Weight | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class CacheMemory:
    """The KV cache before this call."""

    name: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Tokens:
    """The token ids; `index` holds the number of the token."""

    index: Index


@dataclass(frozen=True, kw_only=True, eq=False)
class Static:
    """A tensor that depends on the position at most: an input, a buffer, or `target(*args)`."""

    key: int
    on_position: bool
    target: Callable[..., FxValue] | None
    args: tuple[FxValue, ...] = ()
    kwargs: tuple[tuple[str, FxValue], ...] = ()
    constant: torch.Tensor | None = None


Value = (
    Vec | Centered | Expr | Statistic | Normed | Joined | Signed | PositionProduct | Rotated | Weight | Cached
    | Scores | CacheMemory | Tokens | Static
)  # fmt: skip
WORDS: dict[type, str] = {
    Vec: "vector of the token",
    Signed: "vector of the token",
    Centered: "vector minus its mean",
    Expr: "function of a vector",
    Joined: "concatenation of vectors",
    Normed: "norm of a vector",
    Rotated: "vector after its rotary embedding",
    Statistic: "mean over the elements of a vector",
    PositionProduct: "product of a vector with numbers that depend on the position",
    Scores: "tensor of attention scores",
    Cached: "tensor of cached keys or values",
    CacheMemory: "KV cache as a whole",
    Tokens: "tensor of token ids",
    Static: "constant tensor",
    list: "list",
    tuple: "list",
}
"""What a value is called in a message."""
