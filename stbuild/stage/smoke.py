"""Runs the smoke prompts on the device of a bundle and records what it says."""

import json
from argparse import Namespace
from collections.abc import Iterator
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
from stbuild.stage.record import Record, digest, record_path


def main(args: Namespace) -> None:
    """Write one record per prompt."""
    bundle = load_bundle(Path(args.bundle))
    design = serde.read(Design, Path(args.design))
    wanted = json.loads(Path(args.prompts).read_text())
    out = Path(args.run)
    out.mkdir(parents=True, exist_ok=True)
    device = NativeDevice(bundle)
    taps = dict(hidden_streams(design))
    recorder = Recorder(device, list(taps.values()))
    for number, prompt in enumerate(wanted["prompts"]):
        run = run_prompt(device, bundle.manifest.model, prompt, wanted["new_tokens"], recorder)
        serde.write(record_path(out, number), _record(run, taps, design, bundle))
    device.close()


def hidden_streams(design: Design) -> Iterator[tuple[str, str]]:
    """The values that leave each run of a looping block, and the emulator's names of their streams."""
    kernel = {p.name: p.kernel for p in design.processes}
    for process in design.processes:
        if isinstance(process.op, LoopTail):
            stream = design.stream(process.reads[0])
            inside = kernel.get(stream.source) == kernel.get(stream.sink)
            yield process.name, f"{process.kernel}.{stream.name}" if inside else stream.name


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
        prompt_seconds=run.prompt_seconds,
        decode_seconds=run.decode_seconds,
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
            prompts="token ids of the prompts, and the number of new tokens",
            run="folder for the records",
        ),
        main,
    )
