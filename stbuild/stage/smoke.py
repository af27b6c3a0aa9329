"""Runs the smoke prompts on the device of a bundle and records what it says, and apart from that how fast."""

import json
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from stbuild.ir import serde
from stbuild.ir.design import Design, LoopTail
from stbuild.ir.types import LANES
from stbuild.package.bundle import TOKENIZER, Bundle, load_bundle
from stbuild.runtime.native import NativeDevice
from stbuild.runtime.smoke import Recorder, SmokeRun, run_prompt
from stbuild.runtime.text import load_text_side
from stbuild.stage.entry import run_stage, stage_parser
from stbuild.stage.record import (
    Measured,
    PromptTime,
    PromptTokens,
    Record,
    SmokeTokens,
    digest,
    record_path,
)  # fmt: skip

DEFAULT_TOKENS = 4
"""Ids of the prompt, from 0 on, of a project that gives none that its bundle can read."""


def main(args: Namespace) -> None:
    """Write one record per prompt, the tokens of all of them, and what was measured."""
    bundle = load_bundle(Path(args.bundle))
    design = serde.read(Design, Path(args.design))
    wanted = json.loads(Path(args.prompts).read_text())
    out = Path(args.run)
    out.mkdir(parents=True, exist_ok=True)
    device = NativeDevice(bundle)
    taps = dict(hidden_streams(design))
    recorder = Recorder(device, list(taps.values()))
    runs = []
    for number, prompt in enumerate(_prompts(bundle, wanted)):
        run = run_prompt(device, bundle.manifest.model, prompt, wanted["new_tokens"], recorder)
        serde.write(record_path(out, number), _record(run, taps, design, bundle))
        runs.append(run)
    device.close()
    tokens = tuple(PromptTokens(prompt=run.prompt, tokens=run.tokens) for run in runs)
    serde.write(Path(args.tokens), SmokeTokens(prompts=tokens))
    serde.write(Path(args.measured), measured(runs, bundle.manifest.platform))


def measured(runs: Sequence[SmokeRun], platform: str) -> Measured:
    """What the clock said to these runs."""
    times = tuple(
        PromptTime(
            prompt_seconds=run.prompt_seconds,
            decode_seconds=run.decode_seconds,
            decode_steps=len(run.tokens) - 1,
        )
        for run in runs
    )
    seconds = sum(time.decode_seconds for time in times)
    rate = sum(time.decode_steps for time in times) / seconds if seconds else 0.0
    where = f"the emulated {platform} when it last ran (this host, g++)"
    return Measured(speed=f"{rate:.1f} tok/s decode, measured on {where}", prompts=times)


def hidden_streams(design: Design) -> Iterator[tuple[str, str]]:
    """The values that leave each run of a looping block, and the emulator's names of their streams."""
    kernel = {p.name: p.kernel for p in design.processes}
    for process in design.processes:
        if isinstance(process.op, LoopTail):
            stream = design.stream(process.reads[0])
            inside = kernel.get(stream.source) == kernel.get(stream.sink)
            yield process.name, f"{process.kernel}.{stream.name}" if inside else stream.name


def _prompts(bundle: Bundle, wanted: dict[str, list[str]]) -> Iterator[tuple[int, ...]]:
    """Texts where the bundle has a tokenizer, else ids; never nothing, which would compare nothing."""
    if wanted["texts"] and bundle.text_file(TOKENIZER) is not None:
        side = load_text_side(bundle)
        yield from (side.prompt(text, raw=False) for text in wanted["texts"])
    elif wanted["tokens"]:
        yield from (tuple(int(t) for t in text.split()) for text in wanted["tokens"])
    else:
        model = bundle.manifest.model
        yield tuple(range(min(DEFAULT_TOKENS, model.vocab_size, model.context)))


def _record(run: SmokeRun, taps: dict[str, str], design: Design, bundle: Bundle) -> Record:
    text = ""
    if bundle.text_file(TOKENIZER) is not None:
        text = load_text_side(bundle).tokenizer.decode(run.tokens)
    return Record(
        prompt=run.prompt,
        tokens=run.tokens,
        hidden={tail: _hidden(run, tail, run.taps[stream], design) for tail, stream in taps.items()},
        logits=tuple(digest(row) for row in run.logits),
        text=text,
    )


def _hidden(run: SmokeRun, tail: str, data: bytes, design: Design) -> tuple[tuple[str, ...], ...]:
    """Digests [run][token] of words that came launch by launch, run by run, token by token."""
    process = design.process(tail)
    runs = design.blocks[process.block].count
    width = design.stream(process.reads[0]).words * LANES
    vectors = np.frombuffer(data, "<i4").reshape(-1, width)
    digests: list[list[str]] = [[] for _ in range(runs)]
    at = 0
    for tokens in _launches(run, design.sizes.chunk):
        for r in range(runs):
            digests[r] += [digest(v) for v in vectors[at : at + tokens]]
            at += tokens
    return tuple(tuple(d) for d in digests)


def _launches(run: SmokeRun, chunk: int) -> Iterator[int]:
    """Tokens of each launch: the prompt in chunks, then one by one."""
    for start in range(0, len(run.prompt), chunk):
        yield min(chunk, len(run.prompt) - start)
    yield from (1 for _ in run.tokens[:-1])


if __name__ == "__main__":
    run_stage(
        stage_parser(
            "Run smoke prompts on a device.",
            bundle="the bundle",
            design="the design",
            prompts="prompts and number of tokens",
            run="folder for the records",
            tokens="prompts and tokens to write",
            measured="measured times to write",
        ),
        main,
    )
