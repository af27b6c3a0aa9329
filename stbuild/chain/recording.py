"""Records a device's answers to the smoke prompts as digests, and apart from these its speed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from stbuild.chain.record import Measured, PromptTime, Record, digest, hidden_key
from stbuild.codegen.identifiers import emulated_stream, with_identifiers
from stbuild.ir.design import Design
from stbuild.ir.types import LANES
from stbuild.ops.loop_tail import LoopTail
from stbuild.package.bundle import TOKENIZER, Bundle
from stbuild.runtime.devices.device import Device
from stbuild.runtime.smoke import Recorder, SmokeRun, run_prompt
from stbuild.runtime.text import load_text_side


@dataclass(frozen=True, kw_only=True)
class HiddenStream:
    """Carried value `slot` on its way out of each run of looping block `block`.

    `stream` is what the emulator calls its stream; `words` pass for each token.
    """

    block: int
    slot: int
    stream: str
    words: int


def records_of(
    device: Device, design: Design, bundle: Bundle, prompts: Sequence[Sequence[int]], new_tokens: int
) -> Iterator[tuple[SmokeRun, Record]]:
    """The record of each prompt; a device without taps gives no hidden states."""
    taps = tuple(hidden_streams(design)) if device.taps else ()
    recorder = Recorder(device.taps, [tap.stream for tap in taps]) if device.taps else None
    for prompt in prompts:
        run = run_prompt(device, bundle.manifest.model, prompt, new_tokens, recorder)
        yield run, _record(run, taps, design, bundle, device.description)


def measured(runs: Sequence[SmokeRun], description: str) -> Measured:
    """The measured times of these runs."""
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
    return Measured(
        speed=f"{rate:.1f} tok/s decode, measured on the {description} when it last ran", prompts=times
    )


def hidden_streams(design: Design) -> Iterator[HiddenStream]:
    """The values that leave each run of a looping block."""
    named = with_identifiers(design)
    for process in named.processes:
        if isinstance(process.op, LoopTail):
            stream = emulated_stream(named, named.stream(process.reads[0]))
            yield HiddenStream(
                block=process.block, slot=process.op.slot, stream=stream, words=process.op.words
            )


def _record(
    run: SmokeRun, taps: tuple[HiddenStream, ...], design: Design, bundle: Bundle, description: str
) -> Record:
    text = ""
    if bundle.text_file(TOKENIZER) is not None:
        text = load_text_side(bundle).tokenizer.decode(run.tokens)
    return Record(
        prompt=run.prompt,
        tokens=run.tokens,
        hidden={
            hidden_key(design.blocks[tap.block].name, tap.slot): _hidden(run, tap, design) for tap in taps
        },
        logits=tuple(digest(row) for row in run.logits),
        text=text,
        device=description,
    )


def _hidden(run: SmokeRun, tap: HiddenStream, design: Design) -> tuple[tuple[str, ...], ...]:
    """Digests [run][token] of words that came launch by launch, run by run, token by token."""
    runs = design.blocks[tap.block].count
    vectors = np.frombuffer(run.taps[tap.stream], "<i4").reshape(-1, tap.words * LANES)
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
