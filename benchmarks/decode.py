"""SmolLM2 decode on the emulated U55C beside llama.cpp and torch, in one run: `python -m benchmarks.decode`.

Each contender is a process of its own that stays loaded; they take turns, so that all see the same machine.
Figures are medians of wall time over the rounds. `cores` is CPU time by wall time: a contender that had to
share the machine shows less than its threads.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stbuild.package.bundle import load_bundle
from stbuild.runtime.text import load_text_side

CHECKOUT = Path(__file__).resolve().parents[1]
PROJECT = "projects/smollm2_135m"
OUT = CHECKOUT / "stbuild-out/u55c-sw_emu" / PROJECT
BUNDLE = OUT / "xclbin/bundle"
GGUF = OUT / "gguf/SmolLM2-135M-Instruct.Q4_1.gguf"
MODEL = CHECKOUT / PROJECT / "model.py"
GRAPH = OUT / "trace/graph.json"
PEERS_PYTHON = CHECKOUT / "benchmarks/.venv/bin/python"
TARGET_TOKENS_PER_S = 40.0
QUESTION = "Explain in a few sentences how a bicycle works."


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A name and the command that serves it; see decoders/serve.py."""

    name: str
    argv: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one contender did over all rounds; rates are in tokens a second."""

    contender: Contender
    about: str
    tokens: tuple[int, ...]
    rates: tuple[float, ...]
    prompt_s: tuple[float, ...]
    cores: tuple[float, ...]

    @property
    def rate(self) -> float:
        """The median."""
        return statistics.median(self.rates)


class Server:
    """A contender's process."""

    def __init__(self, contender: Contender) -> None:
        self.contender = contender
        self._process = subprocess.Popen(
            contender.argv, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.about = str(self._read()["about"])

    def ask(self, prompt: Sequence[int], count: int) -> dict[str, Any]:
        """One round."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"prompt": list(prompt), "count": count}) + "\n")
        self._process.stdin.flush()
        return self._read()

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"error: {self.contender.name} ended with {self._process.wait()}")
        found: dict[str, Any] = json.loads(line)
        return found


def contenders(llama_python: Path, threads: int) -> list[Contender]:
    """stbuild first; llama.cpp only if the interpreter for peers has it."""
    run = (sys.executable, "-m")
    weights = (str(GGUF), str(threads))
    found = [Contender(name="stbuild", argv=(*run, "benchmarks.decoders.emulated", str(BUNDLE)))]
    if has_llama(llama_python):
        llama = (str(llama_python), "-m", "benchmarks.decoders.llama_cpp", *weights)
        found.append(Contender(name="llama.cpp Q4_1", argv=llama))
    for cache in ("dynamic", "static"):
        floats = (*run, "benchmarks.decoders.torch_fp32", str(MODEL), str(GRAPH), *weights, cache)
        found.append(Contender(name=f"torch fp32 {cache}", argv=floats))
    return found


def has_llama(python: Path) -> bool:
    """Whether `python` can import llama_cpp; says so if not."""
    argv = [str(python), "-c", "import llama_cpp"]
    if python.is_file() and subprocess.run(argv, capture_output=True, check=False).returncode == 0:
        return True
    print(f"llama.cpp is not measured: {python} has no llama_cpp (see benchmarks/README.md)\n")
    return False


def measure(servers: Sequence[Server], prompt: Sequence[int], count: int, rounds: int) -> list[Result]:
    """Let every server warm up, then let them take turns."""
    for server in servers:
        server.ask(prompt, 4)
    seen: list[list[dict[str, Any]]] = [[] for _ in servers]
    for number in range(rounds):
        for server, answers in zip(servers, seen, strict=True):
            print(f"round {number + 1} of {rounds}: {server.contender.name}", file=sys.stderr, flush=True)
            answers.append(server.ask(prompt, count))
    return [result_of(server, answers) for server, answers in zip(servers, seen, strict=True)]


def result_of(server: Server, answers: Sequence[dict[str, Any]]) -> Result:
    """Rates of the rounds; a contender must say the same in every round."""
    tokens = {tuple(answer["tokens"]) for answer in answers}
    if len(tokens) != 1:
        sys.exit(f"error: {server.contender.name} decoded greedily, and not the same in every round")
    return Result(
        contender=server.contender,
        about=server.about,
        tokens=tokens.pop(),
        rates=tuple((len(a["tokens"]) - 1) / a["decode_s"] for a in answers),
        prompt_s=tuple(a["prompt_s"] for a in answers),
        cores=tuple(a["cpu_s"] / a["decode_s"] for a in answers),
    )


def table(results: Sequence[Result]) -> str:
    """A line a contender, with its ratio to stbuild, which is the first."""
    ours = results[0]
    head = f"{'':20} {'tok/s':>7} {'least..most':>15} {'cores':>6} {'prompt s':>9} {'to stbuild':>11}"
    lines = [f"{head}   same tokens"]
    for each in results:
        spread = f"{min(each.rates):.1f}..{max(each.rates):.1f}"
        cores, prompt = statistics.median(each.cores), statistics.median(each.prompt_s)
        lines.append(
            f"{each.contender.name:20} {each.rate:7.1f} {spread:>15} {cores:6.2f} {prompt:9.2f} "
            f"{each.rate / ours.rate:10.2f}x   first {common(each.tokens, ours.tokens)} of {len(ours.tokens)}"
        )
    ratio = ours.rate / TARGET_TOKENS_PER_S
    lines.append(f"{'target':20} {TARGET_TOKENS_PER_S:7.1f}   stbuild reaches {ratio:.2f} of it")
    return "\n".join(lines)


def common(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens two answers share at the front; greedy texts part at the first near tie."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y), len(a))


def main() -> None:
    """Build, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=64, help="tokens of an answer")
    parser.add_argument("--threads", type=int, default=2, help="of llama.cpp and torch; the emulator has one")
    parser.add_argument("--llama-python", type=Path, default=PEERS_PYTHON, help="has llama-cpp-python")
    options = parser.parse_args()
    build = [str(CHECKOUT / "stbuildw"), *(f"{PROJECT}:{name}" for name in ("xclbin", "gguf", "trace"))]
    subprocess.run(build, cwd=CHECKOUT, stdout=sys.stderr, check=True)
    prompt = load_text_side(load_bundle(BUNDLE)).prompt(QUESTION, raw=False)
    load = os.getloadavg()[0]
    servers = [Server(each) for each in contenders(options.llama_python, options.threads)]
    results = measure(servers, prompt, options.count, options.rounds)
    for server in servers:
        server.close()
    print(
        f"SmolLM2-135M-Instruct Q4_1, greedy, prompt of {len(prompt)}, {options.count} tokens, median of "
        f"{options.rounds} rounds in turn\n{os.cpu_count()} processors, load {load:.1f} before\n"
    )
    print("\n".join(f"{result.contender.name:20} {result.about}" for result in results), end="\n\n")
    print(table(results))


if __name__ == "__main__":
    main()
