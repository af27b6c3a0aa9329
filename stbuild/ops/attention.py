"""Attention: causal attention over the KV cache."""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from stbuild.ir.fixed import CAP_LIMITS, PARAM_FRAC, SLOPE_LIMIT, attention_scale
from stbuild.ir.kv import MAX_HEAD_DIM, KvHeads
from stbuild.ir.op import CheckContext, Op, Values
from stbuild.ir.param import FixedParam, Param
from stbuild.ir.types import ACTIVATION_FRAC, words_of
from stbuild.ops.checks import require, require_multiple, require_width

MAX_DOT = 127**2 * 255**2
"""The greatest product of two quantised elements with their scales."""


@dataclass(frozen=True, kw_only=True)
class Attention(Op):
    """Causal attention of `q` over the KV cache and this token's `k` and `v`.

    A score is `scale` times q.k, then `cap * tanh(score / cap)` if there is a cap, then minus the head's
    slope times the distance (ALiBi). Each query sees the last `windows[run]` positions, its own among them;
    () is all. `sinks` [heads] are scores in base 2 that take part in the softmax without a value.

    Four processes around the matmul engine compute it (`attention_heads.py` and the three behind it).
    """

    operand_fields: ClassVar[tuple[str, ...]] = ("q", "k", "v")
    chosen_frac: ClassVar[bool] = True
    run_fields: ClassVar[tuple[str, ...]] = ("windows",)
    by_position: ClassVar[bool] = True

    q: str
    k: str
    v: str
    heads: int
    kv_heads: int
    head_dim: int
    scale: float
    cap: float = 0.0
    slopes: tuple[float, ...] = ()
    windows: tuple[int, ...] = ()
    sinks: Param | None = None

    @property
    def kv(self) -> KvHeads:
        """Its heads, and what they see of the cache."""
        return KvHeads(heads=self.heads, kv_heads=self.kv_heads, head_dim=self.head_dim, windows=self.windows)

    def check(self, context: CheckContext) -> None:
        """Whole words of each head, heads that share KV heads evenly, scores within 64 bits."""
        require_multiple(self, self.head_dim)
        fits = self.head_dim <= MAX_HEAD_DIM
        require(self, fits, f"its heads have {self.head_dim} elements, more than {MAX_HEAD_DIM}")
        require_width(self, context.widths[self.q], self.heads * self.head_dim)
        require_width(self, self.width, self.heads * self.head_dim)
        require_width(self, context.widths[self.k], self.kv_heads * self.head_dim)
        require_width(self, context.widths[self.v], self.kv_heads * self.head_dim)
        shared = self.heads % self.kv_heads == 0
        require(self, shared, f"{self.heads} heads do not share {self.kv_heads} KV heads evenly")
        self._check_scores()
        bound = self.head_dim * MAX_DOT * abs(attention_scale(self.scale))
        require(self, bound < 2**62, f"its scale {self.scale:g} is too large for 64-bit scores")

    def _check_scores(self) -> None:
        """What happens to scores between the product with the keys and the softmax."""
        low, high = CAP_LIMITS
        within = self.cap == 0 or low <= self.cap <= high
        require(self, within, f"its soft cap {self.cap:g} is not between {low:g} and {high:g}")
        count = len(self.slopes)
        require(self, count in (0, self.heads), f"it has {count} slopes for {self.heads} heads")
        steep = max(map(abs, self.slopes), default=0.0)
        require(self, steep <= SLOPE_LIMIT, f"a slope of {steep:g} is beyond {SLOPE_LIMIT:g}")
        require(self, min(self.windows, default=1) >= 1, "a window sees no position")
        numbered = self.sinks is None or self.sinks.shape == (self.heads,)
        require(self, numbered, f"its sinks are not {self.heads} numbers")

    def fixed(self, frac: int, values: Values) -> Self:
        """Scores of 16 fraction bits; the result has those of the values."""
        q, k = (values.rescaled(name, ACTIVATION_FRAC) for name in (self.q, self.k))
        return replace(self, frac=frac, q=q, k=k, v=values.rescaled(self.v, frac))

    @property
    def fixed_params(self) -> tuple[FixedParam, ...]:
        """The sinks."""
        return () if self.sinks is None else (FixedParam(param=self.sinks, frac=PARAM_FRAC),)

    @property
    def param_words(self) -> int:
        """A number for each head."""
        return 0 if self.sinks is None else words_of(self.heads)
