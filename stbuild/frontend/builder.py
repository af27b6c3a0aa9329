"""The flat list of ops of one token, and the ways a value becomes an op."""

from dataclasses import dataclass, field, replace

import numpy as np

from stbuild.errors import StbuildError
from stbuild.frontend.derivations import Derivations, rows_of
from stbuild.frontend.function_ops import function_vec
from stbuild.frontend.parameters import is_per_element
from stbuild.frontend.rows import with_rows
from stbuild.frontend.source_location import SourceLocation
from stbuild.frontend.untyped import FxValue
from stbuild.frontend.values import (
    WORDS,
    Centered,
    Expr,
    Index,
    Joined,
    Normed,
    PositionProduct,
    Rotated,
    Signed,
    Static,
    Value,
    Vec,
    Weight,
)  # fmt: skip
from stbuild.ir.op import Op
from stbuild.ir.param import Param
from stbuild.ops.affine import Affine
from stbuild.ops.concat import Concat
from stbuild.ops.norm import Norm
from stbuild.ops.rotary import Rotary
from stbuild.ops.slice import Slice

MAX_PIECES = 256
"""Slices that one rearrangement may cost."""
SHORTEST = 4
"""Elements of a slice that follow each other; fewer would be mostly padding."""


class NoLowering(StbuildError):
    """An operator that is not in the table of lowerings; the operators of its decomposition may be."""


@dataclass(kw_only=True)
class Builder:
    """Collects ops; values get provisional names and `places` the module path they come from."""

    tokens: int
    ops: list[Op] = field(default_factory=list)
    place: SourceLocation = field(default_factory=SourceLocation)
    derivations: Derivations = field(default_factory=Derivations)
    _origins: dict[int, tuple[object, SourceLocation]] = field(default_factory=dict)
    _made: dict[int, tuple[object, Vec]] = field(default_factory=dict)
    _known: dict[tuple[object, ...], str] = field(default_factory=dict)
    _ordered: dict[tuple[str, bytes], Vec] = field(default_factory=dict)

    def error(self, why: str, hint: str | None = None) -> StbuildError:
        """A refusal that names the operator, the module and the model's source line."""
        return self.place.error(why, hint)

    def emit(
        self, kind: type[Op], width: int, shape: tuple[int, ...] | None = None, **fields: FxValue
    ) -> Vec:
        """The value, of `shape`, of an op, which is appended unless its module has an equal one."""
        key = (kind, self.place.module, width, tuple(sorted(fields.items())))
        if key not in self._known:
            self._known[key] = f"%{len(self.ops)}"
            name, origin, line = self._known[key], self.place.module, self.place.line or ""
            self.ops.append(kind(name=name, width=width, origin=origin, line=line, **fields))
        return self.plain(self._known[key], width, shape or (self.tokens, width))

    def op(self, name: str) -> Op:
        """The op that makes the value `name`."""
        return self.ops[int(name.removeprefix("%"))]

    def plain(self, name: str, width: int, shape: tuple[int, ...]) -> Vec:
        """The value `name` as a tensor of `shape`, token after token."""
        return Vec(source=name, width=width, index=np.arange(self.tokens * width).reshape(shape))

    def like(self, vec: Vec, kind: type[Op], **fields: FxValue) -> Vec:
        """Append an elementwise op: its value is laid out as `vec`."""
        made = self.emit(kind, vec.width, **fields)
        return replace(vec, source=made.source)

    def vec(self, value: Value | FxValue) -> Vec:
        """`value` as the output of an op."""
        if isinstance(value, Vec):
            return value
        if id(value) not in self._made:
            here = self.place
            self.place = self._origins.get(id(value), (value, here))[1]
            self._made[id(value)] = (value, self._materialise(value))
            self.place = here
        return self._made[id(value)][1]

    def note_origin(self, value: object) -> None:
        """Record the current source location as that of the op that `value` may become."""
        self._origins.setdefault(id(value), (value, self.place))

    def _materialise(self, value: Value | FxValue) -> Vec:
        match value:
            case Expr(base=Vec()):
                return function_vec(self, value)
            case Normed():
                return self._norm(value)
            case Rotated():
                return self.rotary(value, value.x)
            case Joined():
                return self._join(value)
            case Signed():
                raise self.error("elements of a vector are negated one by one outside a rotary embedding")
            case PositionProduct():
                raise self.error(
                    "a product with numbers that depend on the position is lowered only as rotary embedding"
                    " of the form x * cos + rotate_half(x) * sin, or of its interleaved form"
                )
            case Centered() | Expr():
                raise self.error("a vector minus its mean is lowered only as part of a layer norm")
        raise self.error(f"a {describe(value)} cannot be used here as a vector of the token")

    def whole(self, value: Value | FxValue) -> Vec:
        """`value` as the output of an op, each of whose elements is used exactly once."""
        vec = self.vec(value)
        return vec if vec.index.size == self.tokens * vec.width else self.ordered(vec)

    def ordered(self, value: Value | FxValue) -> Vec:
        """`value` as an op's output with the elements in the order in which the tensor first has them.

        Elements that broadcasting repeats, such as whole heads, occur once.
        """
        vec = self.vec(value)
        own = vec.index.reshape(-1)
        own = own[own < vec.width]
        if own.size == vec.width and bool((own == np.arange(vec.width)).all()):
            return vec
        if own.size * self.tokens != vec.index.size:
            raise self.error("the elements of the tokens are mixed")
        _, first = np.unique(own, return_index=True)
        own = own[np.sort(first)]
        key = (vec.source, own.tobytes())
        if key not in self._ordered:
            self._ordered[key] = self._picked(vec, own)
        rank = np.zeros(vec.width, dtype=np.int64)
        rank[own] = np.arange(own.size)
        index = vec.index // vec.width * own.size + rank[vec.index % vec.width]
        return replace(self._ordered[key], index=index)

    def _picked(self, vec: Vec, own: Index) -> Vec:
        """Elements `own` of a vector: by slices, or by the rows of the matrix that it comes from."""
        runs = np.split(own, np.flatnonzero(np.diff(own) != 1) + 1)
        odd = vec.width % 16 or any(r[0] % 16 or r.size % 16 for r in runs)
        regular = rows_of(own) if odd else None
        made = with_rows(self, vec.source, regular) if regular else None
        if made is None:
            return self._gather([(vec, own)])
        return self.plain(made, own.size, (self.tokens, own.size))

    def rotary(self, part: Rotated, head: Vec) -> Vec:
        """The rotary embedding of whole heads `head`, of whose elements `part` turns the first."""
        head = self.ordered(head)
        width, head_dim, source = head.width, int(head.index.shape[-1]), head.source
        heads = width // head_dim
        whole = head.index[head.index < width].reshape(-1)
        _, first = np.unique(whole, return_index=True)
        whole = whole[np.sort(first)]
        if whole.size != width or bool((whole != np.arange(width)).any()):
            raise self.error(
                f"rotary embedding of heads of {head_dim} elements that are not stored one by one"
            )
        return self.like(
            head, Rotary, x=source, heads=heads, head_dim=head_dim, rotary_dim=2 * part.half,
            table=part.table[0], rows=(part.table[1],), interleaved=part.interleaved,
        )  # fmt: skip

    def _norm(self, value: Normed) -> Vec:
        gain = value.gain
        weight = self._segment_param(value.weight, value, gain)
        normed = self.like(
            value.x, Norm, x=value.x.source, segment=value.segment, eps=value.eps, center=value.center,
            weight=weight, bias=self._segment_param(value.bias, value, 1.0), exact=value.exact,
        )  # fmt: skip
        if value.weight is None and abs(gain - 1) > 1e-9:
            return self.like(normed, Affine, x=normed.source, scale=gain)
        return normed

    def _segment_param(self, weight: Weight | None, value: Normed, gain: float) -> Param | None:
        if weight is None:
            return None
        segment = value.segment
        if not is_per_element(weight, value.x.index, segment):
            raise self.error(f"a norm over {segment} elements with a parameter of shape {list(weight.shape)}")
        return param(replace(weight, scale=weight.scale * gain, offset=weight.offset * gain), (segment,))

    def _join(self, value: Joined) -> Vec:
        head, *rest = value.parts
        if isinstance(head, Rotated) and len(rest) == 1 and isinstance(rest[0], Vec):
            tail = rest[0]
            if tail.source == head.x.source:
                index = np.concatenate([head.x.index, tail.index], axis=value.dim)
                return self.rotary(head, replace(head.x, index=index))
        vecs = [self.whole(p) for p in value.parts]
        which = np.concatenate([np.full(v.index.shape, i) for i, v in enumerate(vecs)], axis=value.dim)
        index = np.concatenate([v.index for v in vecs], axis=value.dim)
        widths = np.array([v.width for v in vecs])
        own = index < widths[which]
        made = self._gather_mixed(vecs, which[own], index[own])
        offsets = np.cumsum([0, *[v.width for v in vecs]])[which]
        rank = np.zeros(int(widths.sum()), dtype=np.int64)
        rank[(offsets + index)[own]] = np.arange(rank.size)
        width = widths[which]
        return replace(made, index=index // width * made.width + rank[offsets + index % width])

    def _gather_mixed(self, vecs: list[Vec], which: Index, index: Index) -> Vec:
        breaks = np.flatnonzero((np.diff(which) != 0) | (np.diff(index) != 1)) + 1
        pieces = zip(np.split(which, breaks), np.split(index, breaks), strict=True)
        return self._gather([(vecs[int(w[0])], i) for w, i in pieces])

    def _gather(self, pieces: list[tuple[Vec, Index]]) -> Vec:
        """Elements `index` of vectors, concatenated."""
        runs = [(v, run) for v, i in pieces for run in np.split(i, np.flatnonzero(np.diff(i) != 1) + 1)]
        shortest = min(r.size for _, r in runs)
        if shortest < SHORTEST or len(runs) > MAX_PIECES:
            raise self.error(
                f"a token's elements are rearranged in {len(runs)} slices, the shortest of {shortest};"
                f" {MAX_PIECES} slices and {SHORTEST} elements are the limits",
                hint="rotary embedding must rotate halves, and heads must be stored one after the other",
            )
        names = [self._slice(v, int(r[0]), r.size) for v, r in runs]
        if len(names) == 1:
            return self.plain(names[0], runs[0][1].size, (self.tokens, runs[0][1].size))
        return self.emit(Concat, sum(r.size for _, r in runs), parts=tuple(names))

    def _slice(self, vec: Vec, start: int, width: int) -> str:
        return vec.source if width == vec.width else self.emit(Slice, width, x=vec.source, start=start).source


def param(weight: Weight, shape: tuple[int, ...]) -> Param:
    """`weight` as the parameter of an op that wants it as `shape`."""
    return Param(
        names=(weight.name,),
        shape=shape,
        scale=weight.scale,
        offset=weight.offset,
        transposed=weight.transposed,
    )


def describe(value: object) -> str:
    """What a value is, for a message."""
    match value:
        case Weight():
            return f"parameter {value.name!r}"
        case Static(on_position=True):
            return "number that depends on the position"
        case None | bool() | int() | float():
            return f"number {value}"
    return WORDS.get(type(value), f"value of the type {type(value).__name__}")
