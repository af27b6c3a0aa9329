"""docs/numerics.md once more in Python integers, one token at a time: checks the torch reference."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from stbuild.ir.packed import PackedMatrix
from stbuild.ops.affine import Affine
from stbuild.ops.attention import Attention
from stbuild.ops.map import Map
from stbuild.ops.norm import Norm

LIMIT = 2**31 - 1
Vector = list[int]


def rsr(x: int, s: int) -> int:
    if s < 0:
        return sat(x) << min(-s, 31)
    s = min(s, 62)
    return (x + 2 ** (s - 1)) >> s if s else x


def sat(x: int) -> int:
    return max(-LIMIT, min(LIMIT, x))


@dataclass(frozen=True)
class Group:
    """int8 values with the scale m * 2^(e - 7)."""

    a: tuple[int, ...]
    m: int
    e: int


def quantise_group(x: Sequence[int]) -> Group:
    q = (128 * max(map(abs, x)) + 126) // 127
    m, e = 128, 0
    if q >= 128:
        e = q.bit_length() - 8
        m = (q + 2**e - 1) >> e
        if m == 256:
            m, e = 128, e + 1
    r = (2**23 // m + 1) // 2
    return Group(tuple(max(-127, min(127, rsr(v * r, 15 + e))) for v in x), m, e)


def quantise(x: Sequence[int], size: int = 32) -> list[Group]:
    return [quantise_group(x[i : i + size]) for i in range(0, len(x), size)]


def truncated(w: float, b: int) -> int:
    return math.trunc(Fraction(w) * Fraction(2) ** b)


def minimum(d: float, m: float, b: int, zero_points: bool) -> int:
    """M of a weight group."""
    return -truncated(d, b) * int(m) if zero_points else truncated(m, b)


def exponent(w: PackedMatrix) -> int:
    """Try every exponent downwards from the exact one, in exact fractions."""
    d, m = w.d.astype(float).tolist(), w.m.astype(float).tolist()
    zero_points = w.m.dtype == "uint8"
    numbers = [Fraction(v) for row in (d if zero_points else d + m) for v in row if v]
    if not numbers:
        return 0
    exact = next(b for b in range(-40, 41) if all((v * Fraction(2) ** b).denominator == 1 for v in numbers))
    q_max = {4: 60960, 8: 520192}[w.bits]

    def holds(b: int) -> bool:
        big = [[(abs(truncated(x, b)), abs(minimum(x, y, b, zero_points))) for x, y in zip(*r, strict=True)]
               for r in zip(d, m, strict=True)]  # fmt: skip
        small = all(max(pair) < 2**24 for row in big for pair in row)
        sums = [sum(w.group // 32 * (x * q_max + y * 4064) for x, y in row) for row in big]
        return small and 2**20 * max(sums) < 2**62

    return next(b for b in range(min(exact, 40), -100, -1) if holds(b))


def linear(x: list[Group], w: PackedMatrix, frac_in: int, frac_out: int) -> Vector:
    b, top = exponent(w), max(g.e for g in x)
    scales = [(g.m << 12) >> min(top - g.e, 31) for g in x]
    result = []
    for row in range(w.rows):
        acc = 0
        for i, (g, s) in enumerate(zip(x, scales, strict=True)):
            q = [int(v) for v in w.q[row, 32 * i : 32 * i + 32]]
            dot = sum(v * a for v, a in zip(q, g.a, strict=True))
            wide = 32 * i // w.group
            scale, offset = float(w.d[row, wide]), float(w.m[row, wide])
            acc += truncated(scale, b) * s * dot
            acc += minimum(scale, offset, b, w.m.dtype == "uint8") * s * sum(g.a)
        assert abs(acc) < 2**62
        result.append(sat(rsr(acc, b + 19 - top + frac_in - frac_out)))
    return result


def norm(op: Norm, x: Vector, frac_in: int, weight: Vector | None, bias: Vector | None) -> Vector:
    result = []
    for start in range(0, len(x), op.segment):
        size = op.count or op.segment
        part = x[start : start + size]
        if op.center:
            mu = (sum(part) + size // 2) // size
            part = [sat(v - mu) for v in part]
        h = max(0, max(map(abs, part)).bit_length() - 23)
        squares = sum((v >> h) ** 2 for v in part)
        v = squares // size + (round(op.eps * 2.0 ** (2 * frac_in)) >> (2 * h)) or 1
        z = (62 - v.bit_length()) & ~1
        rs = (2**61 // math.isqrt(v << z)) >> 7
        for i, value in enumerate(part):
            n = rsr(value * rs, 34 + h - z // 2)
            y = rsr(n * (weight[i] if weight else 65536), 36 - op.frac)
            result.append(sat(y + (sat(rsr(bias[i], 16 - op.frac)) if bias else 0)))
        result += [0] * (op.segment - size)
    return result


def affine(op: Affine, x: int, frac_in: int) -> int:
    return sat(rsr(x * op.multiplier, op.shift + frac_in - op.frac) + op.addend)


def function(op: Map, x: int) -> int:
    i = max(0, min(255, (x + 2**20) >> 13))
    rest = x + 2**20 - (i << 13)
    return sat(op.bases[i] + rsr(op.slopes[i] * rest, 16))


def score(op: Attention, head: int, product: int, shift: int, distance: int) -> int:
    """The score of one key."""
    result = sat(rsr(product, shift))
    if op.cap:
        result = soft_cap(result, op.cap)
    if op.slopes:
        slope = round(op.slopes[head] * math.log2(math.e) * 2**24)
        result = sat(result - rsr(slope * distance, 8))
    return result


def soft_cap(x: int, cap: float) -> int:
    fixed = round(cap * math.log2(math.e) * 65536)
    u = min(abs(x) * round(2**46 / fixed) // 2**22, 2**27 - 1)
    i, f = u // 2**18, u % 2**18
    left, right = (round(math.tanh(j / 64) * 2**24) for j in (i, i + 1))
    size = rsr((left + (right - left) * f // 2**18) * fixed, 24)
    return size if x > 0 else -size


def attention_head(
    op: Attention, head: int, q: Vector, k: list[Vector], v: list[Vector], sink: int | None
) -> Vector:
    """One head of the last position; `k` and `v` are those of all positions that it sees."""
    query, keys, values = quantise_group(q), [quantise_group(x) for x in k], [quantise_group(x) for x in v]
    c = round(op.scale * math.log2(math.e) * 2**20)
    scores = []
    for position, key in enumerate(keys):
        dot = sum(a * b for a, b in zip(query.a, key.a, strict=True))
        product, shift = dot * query.m * key.m * c, 50 - query.e - key.e
        scores.append(score(op, head, product, shift, len(keys) - 1 - position))
    top = max(scores) if sink is None else max(*scores, sink)
    p = [softmax_weight(top - s) for s in scores]
    total = sum(p) + (0 if sink is None else softmax_weight(top - sink))
    most = max(x.e for x in values)
    w = [(y * x.m) >> min(most - x.e, 31) for y, x in zip(p, values, strict=True)]
    length = total.bit_length()
    inverse = 2**48 // (total << (32 - length))
    sums = [sum(y * x.a[i] for y, x in zip(w, values, strict=True)) for i in range(len(q))]
    return [sat(rsr(acc * inverse, 23 + length - most)) for acc in sums]


def attention(
    op: Attention, q: Vector, k: list[Vector], v: list[Vector], run: int = 0, sinks: Vector | None = None
) -> Vector:
    """All heads of the last position."""
    size, result = op.head_dim, []
    if op.windows:
        k, v = k[-op.windows[run] :], v[-op.windows[run] :]
    for head in range(op.heads):
        part = slice(head // (op.heads // op.kv_heads) * size, (head // (op.heads // op.kv_heads) + 1) * size)
        own = q[head * size : (head + 1) * size]
        sink = None if sinks is None else sinks[head]
        result += attention_head(op, head, own, [x[part] for x in k], [x[part] for x in v], sink)
    return result


def softmax_weight(delta: int) -> int:
    i, f = delta >> 16, delta & 65535
    left, right = (round(2 ** (16 - (j) / 64)) for j in (f >> 10, (f >> 10) + 1))
    return int((left - (((left - right) * (f & 1023)) >> 10)) >> min(i, 31))
