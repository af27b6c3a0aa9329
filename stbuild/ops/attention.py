"""Attention: causal attention over the KV cache."""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from stbuild.ir.call import Call, TypeArgument, call
from stbuild.ir.fixed import CAP_LIMITS, PARAM_FRAC, SLOPE_LIMIT, attention_scale, score_cap, score_slope
from stbuild.ir.op import CheckContext, KvRecords, StreamingOp, Values
from stbuild.ir.param import FixedParam, Param
from stbuild.ir.parts import Part
from stbuild.ir.program import Program, Repeat, reads, run_lengths, writes
from stbuild.ir.streaming import CallSite, LaunchContext
from stbuild.ir.types import ACTIVATION_FRAC, LANES, words_of
from stbuild.ops.attention_hardware import attention_hardware
from stbuild.ops.checks import require, require_multiple, require_width
from stbuild.ops.numbers import WINDOWS, numbers, windows_type

KV_BYTES = 64
"""int8 elements in one word of a KV record."""
SCALES = 16
"""Heads whose K and V scales share one word."""
MAX_DOT = 127**2 * 255**2
"""The greatest product of two quantised elements with their scales."""


@dataclass(frozen=True, kw_only=True)
class Attention(StreamingOp):
    """Causal attention of `q` over the KV cache and this token's `k` and `v`.

    A score is `scale` times q.k, then `cap * tanh(score / cap)` if there is a cap, then minus the head's
    slope times the distance (ALiBi). Each query sees the last `windows[run]` positions, its own among them;
    () is all. `sinks` [heads] are scores in base 2 that take part in the softmax without a value.
    """

    operand_fields: ClassVar[tuple[str, ...]] = ("q", "k", "v")
    chosen_frac: ClassVar[bool] = True
    run_fields: ClassVar[tuple[str, ...]] = ("windows",)
    by_position: ClassVar[bool] = True
    waits_for_chunk: ClassVar[bool] = True
    named_parts: ClassVar[tuple[str, ...]] = ("form", WINDOWS)

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

    def older(self, run: int, position: int) -> int:
        """How many positions before `position` a query there sees in a run."""
        return min(position, self.windows[run] - 1) if self.windows else position

    def check(self, context: CheckContext) -> None:
        """Whole words of each head, heads that share KV heads evenly, scores within 64 bits."""
        require_multiple(self, self.head_dim)
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

    @property
    def records(self) -> KvRecords:
        """A K record has values, then the scales of K and V."""
        values = self.kv_heads * -(-self.head_dim // KV_BYTES)
        scales = -(-self.kv_heads // SCALES)
        return KvRecords(key_words=values + scales, value_words=values, windows=self.windows)

    def program(self, here: LaunchContext) -> Program:
        """The runs one after the other; those that see equally many older positions are alike."""
        older = [self.older(run, here.launch.position) for run in range(here.runs)]
        return tuple(
            Repeat(runs, self._run(here, count), runs_of=here.block) for count, runs in run_lengths(older)
        )

    def _run(self, here: LaunchContext, older: int) -> Program:
        """Sinks; q, k and v of the launch, their records out, `older` records in, the results."""
        q, k, v, k_in, v_in, *sinks = here.reads
        k_out, v_out, y = here.writes
        tokens, inside = here.tokens, self.head_dim // LANES
        keys, values = self.records.key_words, self.records.value_words
        return (
            *(reads(sink, self.param_words) for sink in sinks),
            reads(q, tokens * self.heads * inside),
            reads(k, tokens * self.kv_heads * inside),
            reads(v, tokens * self.kv_heads * inside),
            Repeat(tokens, (writes(k_out, keys), writes(v_out, values))),
            reads(k_in, older * keys),
            reads(v_in, older * values),
            writes(y, tokens * self.heads * inside),
        )

    def call(self, site: CallSite) -> Call:
        """`stb::attention`, with what happens to the scores and the window of each run."""
        form = TypeArgument(parameter="FORM", part="form", definition=self._form())
        plain = () if self.cap == 0 and not self.slopes else (form,)
        types = (form, windows_type(self.windows)) if self.windows else plain
        return call(
            "attention", "attention" if self.sinks is None else "attention_with_sinks", *types,
            RUNS=site.runs, HEADS=self.heads, KV_HEADS=self.kv_heads, HEAD_DIM=self.head_dim,
            CHUNK=site.chunk, CONTEXT=site.context, C=attention_scale(self.scale),
        )  # fmt: skip

    def _form(self) -> str:
        if not self.cap and not self.slopes:
            return "stb::PlainScore"
        slopes = numbers(map(score_slope, self.slopes)) if self.slopes else "stb::Always<0>"
        cap, per_cap = score_cap(self.cap)
        return f"stb::ScoreForm<{cap}, {per_cap}, {slopes}>"

    def hardware(self, site: CallSite) -> tuple[Part, ...]:
        """All query heads of a KV head at once, 64 of their elements a cycle."""
        return attention_hardware(
            heads=self.heads, kv_heads=self.kv_heads, head_dim=self.head_dim, chunk=site.chunk,
            context=site.context, cap=self.cap != 0, slopes=bool(self.slopes),
        )  # fmt: skip
