"""The benchmarks' own measuring: peak memory over a tree of processes, contenders that answer in turn."""

import subprocess
import sys
import time

from benchmarks.decode import Contender, Result, Server, common, measure, table
from benchmarks.process_memory import PeakMemory

MIB = 2**20
GRANDCHILD = "import time; held = bytearray(200 * 2**20); time.sleep(1.5)"
CHILD = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {GRANDCHILD!r}])"
CONTENDER = """
from benchmarks.decoders.serve import serve

class Counting:
    def prefill(self, tokens): return tokens[-1] + 1
    def decode(self, token): return token + STEP if token < 13 else token + 1
    def about(self): return "counts"

serve(Counting())
"""


def test_peak_memory_counts_grandchildren_whose_parent_has_ended() -> None:
    with PeakMemory() as memory:
        subprocess.run([sys.executable, "-c", CHILD], check=True)
        time.sleep(1.6)
    assert 200 * MIB < memory.peak_bytes < 400 * MIB


def counting(step: int) -> Server:
    text = CONTENDER.replace("STEP", str(step))
    return Server(Contender(name=f"by {step}", argv=(sys.executable, "-c", text)))


def test_contenders_take_turns_and_are_compared() -> None:
    servers = [counting(1), counting(2)]
    results: list[Result] = measure(servers, (5, 9), 6, 3)
    for server in servers:
        server.close()
    ours, other = results
    assert ours.tokens == (10, 11, 12, 13, 14, 15)
    assert other.tokens == (10, 12, 14, 15, 16, 17)
    assert len(ours.rates) == 3
    lines = table(results).splitlines()
    assert lines[1].startswith("by 1") and lines[1].endswith("1.00x   first 6 of 6")
    assert lines[2].endswith("first 1 of 6")
    assert lines[3].startswith("target") and "40.0" in lines[3]


def test_common_is_the_shared_front() -> None:
    assert common((1, 2, 3), (1, 2, 4)) == 2
    assert common((1, 2), (1, 2)) == 2
