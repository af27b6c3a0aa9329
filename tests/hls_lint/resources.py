"""Examples for test_rules: streams, divisions, chains and memories."""

RESOURCES = {
    "two reads of a stream in a cycle": (
        "stream: 2 reads of x an iteration of words, II 1",
        """
          STB_ENTER(4)
        words:
          for (int i = 0; i < n; ++i) {
            STB_PIPELINE(1)
            x.read();
            y.write(x.read());
          }
        """,
        """
          STB_ENTER(4)
        words:
          for (int i = 0; i < n; ++i) {
            STB_PIPELINE(2)
            STB_TICK(2)
            x.read();
            y.write(x.read());
          }
        """,
    ),
    "a division in a pipeline": (
        "division: 32-bit / by 3 in the pipeline words: use a counter, a product, or steps",
        """
          STB_ENTER(4)
        words:
          for (int i = 0; i < n; ++i) {
            STB_PIPELINE(1)
            Word w = x.read();
            set_lane(w, 0, i / 3);
            y.write(w);
          }
        """,
        """
          STB_ENTER(4)
        words:
          for (int i = 0; i < n; ++i) {
            STB_PIPELINE(1)
            Word w = x.read();
            set_lane(w, 0, i / 4);
            y.write(w);
          }
        """,
    ),
    "a remainder by a variable in a pipeline": (
        "division: 32-bit % by a variable in the pipeline words: use a counter, a product, or steps",
        """
          STB_ENTER(4)
        words:
          for (int i = 0; i < n; ++i) {
            STB_PIPELINE(1)
            Word w = x.read();
            set_lane(w, 0, i % n);
            y.write(w);
          }
        """,
        """
          int rest = 0;
          STB_ENTER(4)
        words:
          for (int i = 0; i < n; ++i) {
            STB_PIPELINE(1)
            Word w = x.read();
            set_lane(w, 0, rest);
            rest = rest + 1 == n ? 0 : rest + 1;
            y.write(w);
          }
        """,
    ),
    "maxima in a row": (
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
              STB_UNROLL
              top = lane(w, l) > top ? lane(w, l) : top;
            }
          }
        """,
        """
          int32_t top = 0;
          STB_ENTER(4)
        words:
          for (int i = 0; i < n; ++i) {
            STB_PIPELINE(1)
            const Word w = x.read();
            int32_t tops[N];
          lanes:
            for (int l = 0; l < N; ++l) tops[l] = lane(w, l);
          halves:
            for (int half = N / 2; half > 0; half /= 2) {
            pairs:
              for (int l = 0; l < half; ++l) tops[l] = larger(tops[l], tops[l + half]);
            }
            top = larger(top, tops[0]);
          }
        """,
    ),
    "a memory that is read and written": (
        "dependence: sums is written here and read at kernel.cpp:16 in words: say how many iterations lie "
        "between (STB_DISTANCE, STB_INDEPENDENT)",
        """
          int32_t sums[kRows];
          int row = 0;
          STB_ENTER(4)
        words:
          for (int i = 0; i < n; ++i) {
            STB_PIPELINE(1)
            sums[row] += lane(x.read(), 0);
            row = row + 1 == kRows ? 0 : row + 1;
          }
        """,
        """
          int32_t sums[kRows];
          STB_DISTANCE(sums, kRows)
          int row = 0;
          STB_ENTER(4)
        words:
          for (int i = 0; i < n; ++i) {
            STB_PIPELINE(1)
            sums[row] += lane(x.read(), 0);
            row = row + 1 == kRows ? 0 : row + 1;
          }
        """,
    ),
    "a large memory whose kind nobody has chosen": (
        "storage: words: 256 KiB without STB_BIND: the tool would choose block RAM",
        """
          Word words[64 * kRows];
          read_n(x, words, n);
          write_n(y, words, n);
        """,
        """
          Word words[64 * kRows];
          STB_BIND(words, uram)
          read_n(x, words, n);
          write_n(y, words, n);
        """,
    ),
}  # fmt: skip
