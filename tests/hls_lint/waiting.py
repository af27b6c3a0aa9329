"""Examples for test_rules: values that wait for each other, and loops that say too little."""

RECURRENCE = (
    "needs its last value in words, II 1, behind a product, a table or a sum of floats: that takes longer"
)
WAITING = {
    "a maximum through a helper and a local": (
        "chain: top: 16 selections in a row; make a tree",
        """
          int32_t top = 0;
          STB_ENTER(4)
        words:
          for (int i = 0; i < n; ++i) {
            STB_PIPELINE(1)
            const Word w = x.read();
          lanes:
            for (int l = 0; l < N; ++l) {
              const bool more = lane(w, l) > top;
              raise(top, lane(w, l), more);
            }
          }
        """,
        """
          int32_t top = 0;
          STB_ENTER(4)
        words:
          for (int i = 0; i < n; ++i) {
            STB_PIPELINE(1)
            const bool more = lane(x.read(), 0) > top;
            raise(top, i, more);
          }
        """,
    ),
    "a maximum in an element": (
        "chain: tops: 16 selections in a row; make a tree",
        """
          int32_t tops[2] = {0, 0};
          STB_ENTER(4)
        words:
          for (int i = 0; i < n; ++i) {
            STB_PIPELINE(1)
            const Word w = x.read();
          lanes:
            for (int l = 0; l < N; ++l) tops[1] = larger(tops[1], lane(w, l));
          }
        """,
        """
          int32_t tops[N];
          STB_ENTER(4)
        words:
          for (int i = 0; i < n; ++i) {
            STB_PIPELINE(1)
            const Word w = x.read();
          lanes:
            for (int l = 0; l < N; ++l) tops[l] = larger(tops[l], lane(w, l));
          }
        """,
    ),
    "a sum of floats": (
        f"recurrence: sum {RECURRENCE}",
        """
          float sum = 0;
          STB_ENTER(4)
        words:
          for (int i = 0; i < n; ++i) {
            STB_PIPELINE(1)
            sum += static_cast<float>(lane(x.read(), 0));
          }
        """,
        """
          int64_t sum = 0;
          STB_ENTER(4)
        words:
          for (int i = 0; i < n; ++i) {
            STB_PIPELINE(1)
            sum += lane(x.read(), 0);
          }
        """,
    ),
    "a state that goes through a product": (
        f"recurrence: state {RECURRENCE}",
        """
          int64_t state = 1;
          STB_ENTER(4)
        words:
          for (int i = 0; i < n; ++i) {
            STB_PIPELINE(1)
            const int64_t next = state * 1664525;
            state = next + lane(x.read(), 0);
          }
        """,
        """
          int64_t state = 1;
          STB_ENTER(4)
        words:
          for (int i = 0; i < n; ++i) {
            STB_PIPELINE(4)
            STB_TICK(4)
            const int64_t next = state * 1664525;
            state = next + lane(x.read(), 0);
          }
        """,
    ),
    "a state that goes through a table": (
        f"recurrence: state {RECURRENCE}",
        """
          STB_ROM(kTable)
          int32_t state = 0;
          STB_ENTER(4)
        words:
          for (int i = 0; i < n; ++i) {
            STB_PIPELINE(1)
            state = kTable[(state ^ lane(x.read(), 0)) & 1023];
          }
        """,
        """
          STB_ROM(kTable)
          int32_t state = 0;
          STB_ENTER(4)
        words:
          for (int i = 0; i < n; ++i) {
            STB_PIPELINE(1)
            state = state ^ kTable[lane(x.read(), 0) & 1023];
          }
        """,
    ),
    "an iteration of which the timed network charges less": (
        "tick: words begins an iteration every 4 cycles, and STB_TICK says 1",
        """
          STB_ENTER(4)
        words:
          for (int i = 0; i < n; ++i) {
            STB_PIPELINE(4)
            STB_TICK(1)
            y.write(x.read());
          }
        """,
        """
          STB_ENTER(4)
        words:
          for (int i = 0; i < n; ++i) {
            STB_PIPELINE(4)
            STB_TICK(4)
            y.write(x.read());
          }
        """,
    ),
    "a loop over an array that divides": (
        "division: 32-bit / by a variable in the pipeline elements: use a counter, a product, or steps",
        """
          int32_t sums[kRows];
          STB_ENTER(4)
        elements:
          for (int32_t& sum : sums) {
            STB_PIPELINE(1)
            sum = sum / n;
          }
        """,
        """
          int32_t sums[kRows];
          STB_ENTER(4)
        elements:
          for (int32_t& sum : sums) {
            STB_PIPELINE(1)
            sum = sum / 2;
          }
        """,
    ),
    "a loop of which nobody has said anything": (
        "plain: words is neither pipelined nor unrolled, and no loop in it is",
        """
        words:
          for (int i = 0; i < n; ++i) y.write(x.read());
        """,
        """
          Word w = x.read();
        units:
          for (int u = 0; u < 3; ++u) y.write(w);
        """,
    ),
}  # fmt: skip
