"""Laws: the integer functions of stb/math.hpp are those of docs/numerics.md."""

import ctypes
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stbuild.ir.fixed import score_cap
from tests.hls_lib.single import compile_cpp
from tests.reference import pure

SOURCE = """#include "stb/quantize.hpp"
#include "stb/softmax.hpp"
#include "stb/steps.hpp"
template <int DIVISOR>
int64_t quotient(uint64_t a) {
  uint64_t values[2] = {~uint64_t(0) >> 2, a >> stb::OddPart<DIVISOR>::kTwos};
  if (stb::OddPart<DIVISOR>::kOdd > 1) stb::divide_each<DIVISOR>(values);
  return values[1];
}
extern "C" {
int64_t t_sat(int64_t x) { return stb::sat(x); }
int64_t t_rsr(int64_t x, int64_t s) { return stb::rsr(x, static_cast<int>(s)); }
int64_t t_biased(int64_t x, int64_t s) { return stb::round_shift_biased(x, static_cast<int>(s)); }
int64_t t_bitlen(uint64_t x) { return stb::bitlen(x); }
int64_t t_root(uint64_t x) {
  const uint64_t values[2] = {0, x};
  uint64_t roots[2];
  stb::root_each(values, roots);
  return roots[1];
}
int64_t t_quotient(uint64_t a, uint64_t b) {
  return b == 1024 ? quotient<1024>(a) : b == 576 ? quotient<576>(a) : b == 15 * 64 ? quotient<15 * 64>(a)
       : b == 65535 ? quotient<65535>(a) : b == 48 ? quotient<48>(a) : quotient<17>(a);
}
int64_t t_one_over(uint64_t root) {
  const uint64_t roots[2] = {uint64_t(1) << 30, root};
  int32_t inverses[2];
  stb::invert_each(roots, inverses);
  return inverses[1];
}
int64_t t_inverse(uint64_t x) { return stb::inverse_of(static_cast<uint32_t>(x)); }
int64_t t_over_127(uint64_t x) { return stb::over_127(x); }
int64_t t_power(int64_t x) {
  return stb::weight_of(static_cast<int32_t>(-(x / 2)), static_cast<int32_t>(x - x / 2));
}
int64_t t_scale(uint64_t x) {
  const stb::Scale s = stb::scale_of(static_cast<uint32_t>(x));
  return s.m * 256 + s.e;
}
int64_t t_cap(int64_t x, int64_t cap, int64_t per_cap) {
  return stb::soft_cap(static_cast<int32_t>(x), static_cast<int32_t>(cap), static_cast<int32_t>(per_cap));
}
int64_t t_reciprocal(uint64_t m) { return stb::kReciprocal[m - 128]; }
}
"""


@pytest.fixture(scope="module")
def lib(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder = tmp_path_factory.mktemp("math")
    (folder / "math.cpp").write_text(SOURCE)
    compile_cpp(["-O1", "-shared", str(folder / "math.cpp"), "-o", str(folder / "math.so")])
    return ctypes.CDLL(str(folder / "math.so"))


def call(lib: ctypes.CDLL, name: str, *values: int) -> int:
    function = lib[f"t_{name}"]
    function.restype = ctypes.c_int64
    return int(function(*(ctypes.c_int64(v) for v in values)))


@given(x=st.integers(-(2**63) + 1, 2**63 - 1))
def test_saturation(lib: ctypes.CDLL, x: int) -> None:
    assert call(lib, "sat", x) == pure.sat(x)


@given(x=st.integers(-(2**61), 2**61), shift=st.integers(-80, 80))
def test_rounding_shift(lib: ctypes.CDLL, x: int, shift: int) -> None:
    assert call(lib, "rsr", x, shift) == pure.rsr(x, shift)


@given(x=st.integers(-(2**61) + 1, 2**61 - 1), shift=st.integers(1, 62))
def test_rounding_shift_without_arithmetic_shift(lib: ctypes.CDLL, x: int, shift: int) -> None:
    assert call(lib, "biased", x, shift) == pure.rsr(x, shift)


@given(bits=st.integers(0, 63), offset=st.integers(-2, 2))
def test_bit_length_near_powers(lib: ctypes.CDLL, bits: int, offset: int) -> None:
    x = max(0, 2**bits + offset)
    assert call(lib, "bitlen", x) == x.bit_length()


@given(root=st.integers(0, 2**31 - 1), offset=st.integers(-2, 2))
def test_square_root_near_squares(lib: ctypes.CDLL, root: int, offset: int) -> None:
    x = max(0, root * root + offset)
    assert call(lib, "root", x) == math.isqrt(x)


@given(divisor=st.sampled_from([17, 48, 576, 960, 1024, 65535]), quotient=st.integers(0, 2**62 - 1), offset=st.integers(-2, 2))
def test_quotient_near_products(lib: ctypes.CDLL, divisor: int, quotient: int, offset: int) -> None:
    dividend = min(2**62 - 1, max(0, quotient // divisor * divisor + offset))
    assert call(lib, "quotient", dividend, divisor) == dividend // divisor


@given(root=st.integers(2**30, 2**31 - 1))
@example(root=2**30)
@example(root=2**31 - 1)
def test_one_over_a_root(lib: ctypes.CDLL, root: int) -> None:
    assert call(lib, "one_over", root) == 2**54 // root


@given(divisor=st.integers(2**31, 2**32 - 1))
@example(divisor=2**31)
@example(divisor=2**32 - 1)
def test_inverse_of_a_total(lib: ctypes.CDLL, divisor: int) -> None:
    assert call(lib, "inverse", divisor) == 2**48 // divisor


@given(quotient=st.integers(0, (2**31 + 126) // 127), offset=st.integers(-1, 1))
@example(quotient=(2**31 + 126) // 127, offset=1)
def test_a_127th_near_products(lib: ctypes.CDLL, quotient: int, offset: int) -> None:
    n = min(2**31 + 126, max(0, 127 * quotient + offset))
    assert call(lib, "over_127", n) == n // 127


@given(delta=st.integers(0, 2**32 - 2) | st.integers(0, 2**21))
def test_power_of_two(lib: ctypes.CDLL, delta: int) -> None:
    assert call(lib, "power", delta) == pure.softmax_weight(delta)


@given(x=st.integers(-pure.LIMIT, pure.LIMIT) | st.integers(-(2**23), 2**23), cap=st.floats(1.0, 8192.0))
def test_soft_cap(lib: ctypes.CDLL, x: int, cap: float) -> None:
    fixed, per_cap = score_cap(cap)
    got = call(lib, "cap", x, fixed, per_cap)
    assert got == pure.soft_cap(x, cap)
    exact = cap * math.log2(math.e) * math.tanh(x / 65536 / (cap * math.log2(math.e)))
    assert abs(got / 65536 - exact) < 4e-5 * cap + 2**-15


@given(amax=st.integers(0, 2**31 - 1) | st.integers(0, 2**12))
def test_scale_of_a_group(lib: ctypes.CDLL, amax: int) -> None:
    group = pure.quantise_group([amax])
    assert call(lib, "scale", amax) == group.m * 256 + group.e


def test_reciprocals(lib: ctypes.CDLL) -> None:
    assert [call(lib, "reciprocal", m) for m in range(128, 256)] == [
        (2**23 // m + 1) // 2 for m in range(128, 256)
    ]
