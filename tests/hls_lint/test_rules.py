"""Each finding with a text that has it and the mended text that has none; nothing else is found in either."""

from pathlib import Path

import pytest

from hls_lint.__main__ import INCLUDE, lint
from stbuild.errors import StbuildError
from tests.hls_lint.resources import RESOURCES
from tests.hls_lint.waiting import WAITING

KERNEL = """
#include "stb/stream.hpp"
namespace stb {{
constexpr int kRows = 64;
static const int32_t kTable[1024] = {{1}};
constexpr int32_t larger(int32_t a, int32_t b) {{ return a < b ? b : a; }}
inline void raise(int32_t& top, int32_t to, bool more) {{ if (more) top = to; }}
template <int N>
void process(Port<Word>& x, Port<Word>& y, int n) {{
{body}
}}
}}
extern "C" void kernel(stb::Port<stb::Word>& x, stb::Port<stb::Word>& y, int n) {{
  STB_CALL(process, (stb::process<16>(x, y, n)))
}}
"""

EXAMPLES = {
    "a pipeline drains with every iteration of the second loop around it": (
        "nest: inner drains with each iteration of outer, inside runs and outer: make them one loop",
        """
        runs:
          for (int r = 0; r < n; ++r) {
          outer:
            for (int i = 0; i < n; ++i) {
              STB_ENTER(4)
            inner:
              for (int j = 0; j < i; ++j) {
                STB_PIPELINE(1)
                y.write(x.read());
              }
            }
          }
        """,
        """
        runs:
          for (int r = 0; r < n; ++r) {
            STB_ENTER(4)
          flat:
            for (int i = 0; i < n * n; ++i) {
              STB_PIPELINE(1)
              y.write(x.read());
            }
          }
        """,
    ),
    "a pipeline has less work than it takes to drain": (
        "nest: inner drains with each iteration of outer after 4 cycles of work",
        """
        outer:
          for (int i = 0; i < n; ++i) {
            const Word w = x.read();
            STB_ENTER(4)
          inner:
            for (int j = 0; j < 4; ++j) {
              STB_PIPELINE(1)
              y.write(w);
            }
          }
        """,
        """
          STB_ENTER(4)
        outer:
          for (int i = 0; i < n; ++i) {
          inner:
            for (int j = 0; j < 4; ++j) {
              STB_PIPELINE(1)
              y.write(x.read());
            }
          }
        """,
    ),
    "a pipeline inside an unrolled loop": (
        "nest: inner exists once for each iteration of copies; unroll inside of it",
        """
          int32_t top[4];
        copies:
          for (int c = 0; c < 4; ++c) {
            STB_UNROLL
            STB_ENTER(4)
          inner:
            for (int i = 0; i < n; ++i) {
              STB_PIPELINE(1)
              top[c] = i;
            }
          }
        """,
        """
          int32_t top[4];
          STB_ENTER(4)
        inner:
          for (int i = 0; i < n; ++i) {
            STB_PIPELINE(1)
          copies:
            for (int c = 0; c < 4; ++c) {
              STB_UNROLL
              top[c] = i;
            }
          }
        """,
    ),
    "a pipeline that the timed network does not charge": (
        "entry: words is entered without STB_ENTER: the timed network would not charge it",
        """
        words:
          for (int i = 0; i < n; ++i) {
            STB_FLUSHABLE(1)
            y.write(x.read());
          }
        """,
        """
          STB_ENTER(4)
        words:
          for (int i = 0; i < n; ++i) {
            STB_FLUSHABLE(1)
            y.write(x.read());
          }
        """,
    ),
    "an unrolled loop whose bound is not a constant": (
        "unroll: lanes is unrolled, or inside a pipeline, and its bound is not a constant",
        """
          STB_ENTER(4)
        words:
          for (int i = 0; i < n; ++i) {
            STB_PIPELINE(1)
            Word w = x.read();
          lanes:
            for (int l = 0; l < n; ++l) set_lane(w, l, i);
            y.write(w);
          }
        """,
        """
          STB_ENTER(4)
        words:
          for (int i = 0; i < n; ++i) {
            STB_PIPELINE(1)
            Word w = x.read();
          halves:
            for (int half = 8; half > 0; half /= 2) {
            lanes:
              for (int l = 0; l < half; ++l) set_lane(w, l, i);
            }
            y.write(w);
          }
        """,
    ),
    "more accesses than a memory has ports": (
        "ports: sums: 16 accesses an iteration of words, II 1, to a memory with 2 ports; partition it",
        """
          int32_t sums[kRows][N];
          STB_ENTER(4)
        words:
          for (int i = 0; i < n; ++i) {
            STB_PIPELINE(1)
            const Word w = x.read();
          lanes:
            for (int l = 0; l < N; ++l) {
              STB_UNROLL
              sums[i][l] = lane(w, l);
            }
          }
        """,
        """
          int32_t sums[kRows][N];
          STB_PARTITION(sums, 2)
          STB_ENTER(4)
        words:
          for (int i = 0; i < n; ++i) {
            STB_PIPELINE(1)
            const Word w = x.read();
          lanes:
            for (int l = 0; l < N; ++l) {
              STB_UNROLL
              sums[i][l] = lane(w, l);
            }
          }
        """,
    ),
    "a table that all lanes read": (
        "ports: kTable: 16 accesses an iteration of words, II 1, to a memory with 2 ports; partition it",
        """
          STB_ENTER(4)
        words:
          for (int i = 0; i < n; ++i) {
            STB_PIPELINE(1)
            Word w = x.read();
          lanes:
            for (int l = 0; l < N; ++l) set_lane(w, l, kTable[lane(w, l) & 1023]);
            y.write(w);
          }
        """,
        """
          STB_ROM(kTable)
          STB_ENTER(4)
        words:
          for (int i = 0; i < n; ++i) {
            STB_PIPELINE(1)
            Word w = x.read();
          lanes:
            for (int l = 0; l < N; ++l) set_lane(w, l, kTable[lane(w, l) & 1023]);
            y.write(w);
          }
        """,
    ),
    **RESOURCES,
    **WAITING,
}  # fmt: skip


def found_in(folder: Path, body: str) -> list[str]:
    """The findings in a kernel of one process, each as `rule: text`."""
    path = folder / "kernel.cpp"
    path.write_text(KERNEL.format(body=body.strip("\n")))
    return [f"{finding.rule}: {finding.text}" for finding in sorted(lint([path]))]


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_bad_text_is_found(tmp_path: Path, name: str) -> None:
    sentence, bad, _ = EXAMPLES[name]
    assert found_in(tmp_path, bad) == [sentence]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_mended_text_has_no_finding(tmp_path: Path, name: str) -> None:
    assert found_in(tmp_path, EXAMPLES[name][2]) == []


def test_accesses_of_two_arms_share_ports(tmp_path: Path) -> None:
    """An if and its else never happen in the same iteration."""
    body = """
      int32_t sums[kRows];
      STB_INDEPENDENT(sums)
      STB_ENTER(4)
    words:
      for (int i = 0; i < n; ++i) {
        STB_PIPELINE(1)
        if (lane(x.read(), 0) == 0) {
          sums[i] = sums[i + 1];
        } else {
          sums[i + 2] = sums[i + 3];
        }
      }
    """
    assert found_in(tmp_path, body) == []
    both = body.replace("} else {", "} if (n > 0) {")
    assert [f.partition(",")[0] for f in found_in(tmp_path, both)] == [
        "ports: sums: 4 accesses an iteration of words"
    ]


def test_what_does_not_compile_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(StbuildError, match=r"kernel\.cpp:10: .*undeclared"):
        found_in(tmp_path, "undeclared = 1;")


def test_a_file_without_a_kernel_is_told(tmp_path: Path) -> None:
    (tmp_path / "none.cpp").write_text("void f() {}\n")
    with pytest.raises(StbuildError, match=r'none\.cpp: 0 functions are extern "C"'):
        lint([tmp_path / "none.cpp"], INCLUDE)
