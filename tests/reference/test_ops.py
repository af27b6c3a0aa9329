"""Laws: the torch reference computes what docs/numerics.md says, in Python integers."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stbuild.ir.exponent import fixed_scales
from stbuild.ir.fixed import affine_integers, map_integers
from stbuild.ir.packed import PackedMatrix
from stbuild.ir.param import Param
from stbuild.ops.affine import Affine
from stbuild.ops.attention import Attention
from stbuild.ops.map import Map
from stbuild.ops.norm import Norm
from stbuild.reference import integer
from stbuild.reference.attention import attention, cache_of
from stbuild.reference.linear import linear, quantise
from stbuild.reference.norm import norm
from stbuild.reference.pointwise import affine, function
from tests.reference import pure

INT32 = st.integers(-(2**31 - 1), 2**31 - 1)
WIDE = st.integers(-(2**62), 2**62)
FRACS = st.sampled_from((12, 16))
SEEDS = st.integers(0, 2**32 - 1)


def drawn(seed: int, *shape: int) -> np.ndarray:
    """int32 values of very different sizes, zeros and extremes among them."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 32, (*shape[:-1], 1)) - rng.integers(0, 8, shape)
    values = np.rint(rng.uniform(-1, 1, shape) * 2.0 ** bits.clip(0)).astype(np.int64)
    return values.clip(-(2**31 - 1), 2**31 - 1)


def matrix(seed: int, rows: int, cols: int, group: int, bits: int) -> PackedMatrix:
    rng = np.random.default_rng(seed)
    size = 2.0 ** rng.integers(-12, 6, (rows, 1))
    values = (rng.normal(size=(rows, cols)) * size).astype(np.float32)
    make = PackedMatrix.affine4 if bits == 4 else PackedMatrix.symmetric8
    return make(values, group)


def zero_point_matrix(seed: int, rows: int, cols: int, group: int) -> PackedMatrix:
    """4 bits with zero points, at times all 16 with scales of very different sizes."""
    rng = np.random.default_rng(seed)
    d = rng.normal(size=(rows, cols // group)) * 2.0 ** rng.integers(-12, 6, (rows, cols // group))
    z = rng.integers(rng.choice((0, 16)), 17, d.shape).astype(np.uint8)
    q = rng.integers(0, 16, (rows, cols)).astype(np.uint8)
    return PackedMatrix(rows=rows, cols=cols, group=group, bits=4, d=d.astype(np.float16), m=z, q=q)


@given(WIDE, st.integers(-80, 80))
def test_rounding_shift(x: int, shift: int) -> None:
    assert integer.rsr(torch.tensor(x), shift).item() == pure.rsr(x, shift)
    assert integer.rsr(torch.tensor(x), torch.tensor(shift)).item() == pure.rsr(x, shift)


@given(WIDE)
def test_saturation(x: int) -> None:
    assert integer.sat(torch.tensor(x)).item() == pure.sat(x)


@given(st.integers(0, 2**53 - 1))
def test_bit_length(x: int) -> None:
    assert integer.bitlen(torch.tensor(x)).item() == x.bit_length()


@given(st.integers(0, 2**31 - 1), st.integers(-2, 2))
def test_square_root_near_squares(root: int, offset: int) -> None:
    x = max(0, root * root + offset)
    assert integer.isqrt(torch.tensor(x)).item() == math.isqrt(x)


@given(st.lists(INT32, min_size=32, max_size=32))
def test_quantise_a_group(x: list[int]) -> None:
    got, want = quantise(torch.tensor([x])), pure.quantise_group(x)
    assert got.a[0, 0].tolist() == list(want.a)
    assert (got.m[0, 0].item(), got.e[0, 0].item()) == (want.m, want.e)


@given(st.lists(INT32, min_size=32, max_size=32))
def test_quantised_values_are_within_a_step(x: list[int]) -> None:
    got = pure.quantise_group(x)
    step = got.m * 2.0 ** (got.e - 7)
    assert 128 <= got.m <= 255
    assert 0 <= got.e <= 24
    assert all(abs(a * step - v) <= step * 0.51 + 1 for a, v in zip(got.a, x, strict=True))


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.sampled_from((32, 64, 128)), st.sampled_from((4, 8)), FRACS, FRACS)
def test_linear(seed: int, group: int, bits: int, frac_in: int, frac_out: int) -> None:
    weight, x = matrix(seed, 5, 256, group, bits), drawn(seed, 3, 256)
    got = linear(quantise(torch.from_numpy(x)), weight, frac_in, frac_out)
    want = [pure.linear(pure.quantise(row), weight, frac_in, frac_out) for row in x.tolist()]
    assert got.tolist() == want


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.sampled_from((32, 64, 128)), FRACS, FRACS)
def test_linear_with_zero_points(seed: int, group: int, frac_in: int, frac_out: int) -> None:
    weight, x = zero_point_matrix(seed, 5, 256, group), drawn(seed, 3, 256)
    got = linear(quantise(torch.from_numpy(x)), weight, frac_in, frac_out)
    want = [pure.linear(pure.quantise(row), weight, frac_in, frac_out) for row in x.tolist()]
    assert got.tolist() == want


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.sampled_from((32, 128)))
def test_zero_points_are_exact(seed: int, group: int) -> None:
    """M is -D z to the bit, whether or not D is exact, and so are the floats of `d (q - z)`."""
    weight = zero_point_matrix(seed, 3, 256, group)
    scales = fixed_scales(weight)
    assert scales.exponent == pure.exponent(weight)
    np.testing.assert_array_equal(scales.m, -scales.d * weight.m)
    assert max(np.abs(scales.m).max(), np.abs(scales.d).max()) < 2**24
    steps = weight.q.reshape(3, -1, group).astype(np.float64) - weight.m[:, :, None]
    exact = (steps * weight.d.astype(np.float64)[:, :, None]).reshape(3, 256)
    np.testing.assert_array_equal(weight.dequantise(), exact)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.sampled_from((32, 128)), st.sampled_from((4, 8)), st.integers(-10, 12))
def test_exponent(seed: int, group: int, bits: int, size: int) -> None:
    weight = matrix(seed, 3, 256, group, bits)
    scaled = PackedMatrix(rows=3, cols=256, group=group, bits=bits, q=weight.q,
                          d=weight.d * np.float16(2.0**size), m=weight.m)  # fmt: skip
    got = fixed_scales(scaled)
    assert got.exponent == pure.exponent(scaled)
    assert got.d[0, 0] == pure.truncated(float(scaled.d[0, 0]), got.exponent)
    assert got.m[1, 1] == pure.truncated(float(scaled.m[1, 1]), got.exponent)


@pytest.mark.parametrize(("bits", "group"), [(4, 32), (4, 128), (8, 32)])
@pytest.mark.parametrize("sign", [1, -1])
def test_linear_is_exact_at_its_bounds(bits: int, group: int, sign: int) -> None:
    """All weights and activations at their largest, halves that nearly cancel: float64 holds every sum."""
    cols = 11008
    q = np.full((2, cols), 15, np.uint8) if bits == 4 else np.full((2, cols), -128, np.int8)
    d = np.full((2, cols // group), 0.124, np.float16)
    m = np.full_like(d, 11.7 if bits == 4 else 0)
    weight = PackedMatrix(rows=2, cols=cols, group=group, bits=bits, d=d, m=m, q=q)
    x = torch.full((1, cols), sign * (2**31 - 1))
    x[0, cols // 2 :] *= -1
    x[0, 5] = x[0, 5] // 128 * 127
    got = linear(quantise(x), weight, 16, 12)[0].tolist()
    assert got == pure.linear(pure.quantise(x[0].tolist()), weight, 16, 12)
    assert 0 < abs(got[0]) < 2**31 - 1


def test_exponent_of_zeros() -> None:
    zeros = PackedMatrix.affine4(np.zeros((16, 64), np.float32), 32)
    assert fixed_scales(zeros).exponent == 0


@settings(deadline=None)
@given(
    SEEDS, st.booleans(), st.booleans(), FRACS, FRACS, st.sampled_from((1e-5, 1e-6, 0.0)), st.integers(1, 32)
)
def test_norm(
    seed: int, center: bool, weighted: bool, frac_in: int, frac_out: int, eps: float, count: int
) -> None:
    op = Norm(name="n", width=96, x="x", segment=32, eps=eps, center=center, frac=frac_out, count=count)
    x, weight, bias = drawn(seed, 2, 96), drawn(seed + 1, 1, 32)[0] >> 8, drawn(seed + 2, 1, 32)[0]
    x.reshape(2, 3, 32)[:, :, count:] = 0
    weight[count:], bias[count:] = 0, 0
    tensors = [torch.from_numpy(v) if weighted else None for v in (weight, bias)]
    lists = [v.tolist() if weighted else None for v in (weight, bias)]
    got = norm(op, torch.from_numpy(x), frac_in, *tensors)
    assert got.tolist() == [pure.norm(op, row, frac_in, *lists) for row in x.tolist()]


@given(INT32, st.floats(-1000, 1000), st.floats(-1000, 1000), FRACS, FRACS)
def test_affine(x: int, scale: float, offset: float, frac_in: int, frac_out: int) -> None:
    multiplier, shift, addend = affine_integers(scale, offset, frac_out)
    assert 2**22 <= abs(multiplier) < 2**23 or scale == multiplier == 0
    op = Affine(name="a", width=1, x="x", scale=scale, offset=offset, frac=frac_out,
                multiplier=multiplier, shift=shift, addend=addend)  # fmt: skip
    assert affine(op, torch.tensor([[x]]), frac_in).item() == pure.affine(op, x, frac_in)


@given(INT32 | st.integers(-(2**21), 2**21), FRACS)
def test_map(x: int, frac: int) -> None:
    samples = tuple(math.tanh(i / 8) * i for i in range(-128, 129))
    bases, slopes = map_integers(samples, frac)
    op = Map(name="f", width=1, x="x", function="f", samples=samples, frac=frac, bases=bases, slopes=slopes)
    assert function(op, torch.tensor([[x]])).item() == pure.function(op, x)


@st.composite
def attentions(draw: st.DrawFn) -> Attention:
    """Attention of two runs with any of windows, a cap, slopes and sinks."""
    heads, kv_heads = draw(st.sampled_from(((2, 1), (4, 2), (3, 3))))
    slopes = st.tuples(*[st.floats(-1.0, 2.0)] * heads)
    window = st.sampled_from((1, 2, 3, 7, 9, 100))
    return Attention(
        name="a", width=heads * 16, q="q", k="k", v="v", heads=heads, kv_heads=kv_heads, head_dim=16,
        scale=draw(st.floats(0.01, 1.0)), cap=draw(st.sampled_from((0.0, 1.0, 50.0, 8192.0))),
        slopes=draw(st.just(()) | slopes), windows=draw(st.just(()) | st.tuples(window, window)),
        sinks=draw(st.none() | st.just(Param(names=("s",), shape=(heads,)))),
    )  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(SEEDS, st.integers(1, 9), st.integers(0, 1), st.data())
def test_attention(seed: int, length: int, run: int, data: st.DataObject) -> None:
    op = data.draw(attentions())
    q, k, v = (drawn(seed + i, length, h * 16) for i, h in enumerate((op.heads, op.kv_heads, op.kv_heads)))
    sinks = drawn(seed + 3, op.heads, 1)[:, 0] if op.sinks else None
    cache = cache_of(op, torch.from_numpy(k), torch.from_numpy(v))
    given_sinks = None if sinks is None else torch.from_numpy(sinks)
    got = attention(op, run, torch.from_numpy(q), cache, given_sinks)
    for t in range(length):
        seen = k[: t + 1].tolist(), v[: t + 1].tolist()
        wanted = pure.attention(op, q[t].tolist(), *seen, run, None if sinks is None else sinks.tolist())
        assert got[t].tolist() == wanted


@settings(deadline=None)
@given(SEEDS, st.sampled_from((32, 64, 128)))
def test_affine4_is_within_half_a_step(seed: int, group: int) -> None:
    values = np.random.default_rng(seed).normal(size=(4, 256)).astype(np.float32)
    packed = PackedMatrix.affine4(values, group)
    step = np.repeat(packed.d.astype(np.float32), group, axis=1)
    assert np.all(np.abs(packed.dequantise() - values) <= 0.52 * step + 2e-3)


@settings(deadline=None)
@given(SEEDS)
def test_symmetric8_is_within_half_a_step(seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(4, 128)).astype(np.float32)
    packed = PackedMatrix.symmetric8(values, 64)
    step = np.repeat(packed.d.astype(np.float32), 64, axis=1)
    assert np.all(np.abs(packed.dequantise() - values) <= 0.6 * step)
